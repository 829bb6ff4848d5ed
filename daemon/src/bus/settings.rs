//! Settings, as the bus spells them.
//!
//! Lives here: from a setting's value to a variant and back.
//! Must not: know a setting by its name, or judge a value.

use zbus::Variant;

use super::fault::Fault;
use super::options::whole;
use crate::values::setting::Setting;

/// A value as a client reads it: s, b, x, d or as.
pub(super) fn spelled(value: Setting) -> Variant<'static> {
    match value {
        Setting::Text(text) => text.into(),
        Setting::Flag(flag) => flag.into(),
        Setting::Whole(number) => number.into(),
        Setting::Real(number) => number.into(),
        Setting::Texts(texts) => texts.into(),
    }
}

/// A value as a client wrote it.
pub(super) fn parsed(value: &Variant<'_>) -> Result<Setting, Fault> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other types are whole numbers, or no value of a setting"
    )]
    let setting = match value {
        Variant::Variant(inner) => return parsed(inner),
        Variant::Str(text) => Some(Setting::Text(text.to_string())),
        Variant::Bool(flag) => Some(Setting::Flag(*flag)),
        Variant::F64(number) => Some(Setting::Real(*number)),
        Variant::Array(array) => array
            .iter()
            .map(|item| item.downcast_ref::<String>().ok())
            .collect::<Option<Vec<_>>>()
            .map(Setting::Texts),
        other => whole(other).and_then(|number| number.try_into().ok()).map(Setting::Whole),
    };
    setting.ok_or_else(|| {
        let found = value.value_signature();
        Fault::arguments(format!(
            "A setting is a text, a switch, a number or a list of texts; this is of type {found}."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_can_be_written_back() {
        let values = [
            Setting::Text("auto".to_owned()),
            Setting::Flag(true),
            Setting::Whole(-7),
            Setting::Real(0.5),
            Setting::Texts(vec!["a".to_owned(), "b".to_owned()]),
            Setting::Texts(vec![]),
        ];
        for value in values {
            assert_eq!(parsed(&spelled(value.clone())).unwrap(), value);
        }
        assert_eq!(parsed(&90_u32.into()).unwrap(), Setting::Whole(90));
    }

    #[test]
    fn a_value_of_no_settings_type_is_refused() {
        assert!(parsed(&u64::MAX.into()).is_err());
        assert!(parsed(&Variant::from(vec![1_u32])).is_err());
    }
}
