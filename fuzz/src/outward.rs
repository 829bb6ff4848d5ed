//! From a decoded message to everything that a person or program sees of it.
//!
//! Lives here: the target that knows the daemon; what must hold is `ahoyd::engine::outward`, as in the tests of the whole.
//! Must not: depend on the fuzzer.

use ahoy_proto::codec;
use ahoyd::engine::outward;

/// A message of a call, decoded and shown everywhere. True if it brought words.
pub fn message(data: &[u8]) -> bool {
    let Ok(messages) = codec::decode_all(data) else { return false };
    let mut brought = false;
    for shown in messages.iter().filter_map(|message| outward::of(message, "Ana")) {
        assert_eq!(shown.fault(), None);
        for text in [&shown.row.name, &shown.row.note, &shown.row.message] {
            assert_eq!(&ahoyctl::clean::lines(text), text, "a terminal shows it as it is");
        }
        brought = true;
    }
    brought
}
