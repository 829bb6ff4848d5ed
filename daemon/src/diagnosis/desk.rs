//! The desktop around us: the session bus, and who shows that it rings.
//!
//! Lives here: two questions on connections of their own.
//! Must not: show anything; start a notification server where the bus would not.

use std::time::Duration;

use ahoy_dbus::BUS_NAME;
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use crate::system::clock;
use crate::values::diagnosis::{Check, Datum, Finding};

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Who shows notes, its object and its interface.
const SERVER: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// Whether the session bus answers, and finds us.
pub(super) async fn bus() -> Vec<Finding> {
    let began = clock::now();
    let asked = async {
        let bus = Connection::session().await?;
        let driver = DBusProxy::new(&bus).await?;
        let name = BusName::from_static_str(BUS_NAME)?;
        zbus::Result::Ok(driver.get_connection_unix_process_id(name).await?)
    };
    let found = match clock::timeout(PATIENCE, asked).await {
        Ok(Ok(process)) if process == std::process::id() => {
            let took = clock::now().since(began);
            let sentence = format!("The session bus answers in {} ms and knows us.", took.as_millis().max(1));
            Finding::ok(Check::Bus, sentence).with("took-ms", Datum::ms(took))
        }
        Ok(Ok(_other)) => Finding::fail(
            Check::Bus,
            "Another daemon has our name on the session bus: end one of the two, `ahoyctl status` shows which serves.",
        ),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the session bus was asked in vain");
            Finding::fail(
                Check::Bus,
                "The session bus does not know us: log in again, or look into `ahoyctl logs`.",
            )
        }
        Err(_over) => Finding::fail(Check::Bus, "The session bus does not answer: log in again."),
    };
    vec![found]
}

/// Whether anybody would show a ring.
pub(super) async fn notifications() -> Vec<Finding> {
    let asked = async {
        let bus = Connection::session().await?;
        let able = bus.call_method(Some(SERVER), PATH, Some(SERVER), "GetCapabilities", &()).await?;
        able.body().deserialize::<Vec<String>>()
    };
    let found = match clock::timeout(PATIENCE, asked).await {
        Ok(Ok(able)) if able.iter().any(|what| what == "actions") => {
            Finding::ok(Check::Notifications, "A notification server shows rings, with buttons.")
        }
        Ok(Ok(_no_buttons)) => Finding::warn(
            Check::Notifications,
            "The notification server shows rings without buttons: answer by `ahoyctl answer`, a key or a bar.",
        ),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no notification server");
            Finding::warn(
                Check::Notifications,
                "No notification server runs, so a ring is heard and not seen: start one (dunst, mako, your desktop's).",
            )
        }
        Err(_over) => Finding::warn(
            Check::Notifications,
            "The notification server does not answer, so a ring may not be seen: restart it.",
        ),
    };
    vec![found]
}
