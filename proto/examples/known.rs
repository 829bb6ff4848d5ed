//! Writes the test vectors and the fuzz corpora anew, after a change of the wire that is meant.
//!
//! Lives here: where the files lie.
//! Must not: decide what is in them.
#![expect(clippy::unwrap_used, reason = "a tool of this source tree, which stops at the first fault")]
#![expect(clippy::print_stdout, reason = "it tells what it wrote")]

#[path = "../tests/wire/known.rs"]
mod known;
#[path = "../tests/wire/rooms.rs"]
mod rooms;

use std::fs;
use std::path::Path;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, value) in known::vectors() {
        let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
        fs::write(here.join("tests/vectors").join(name).with_extension("json"), text).unwrap();
    }
    for ((target, name), bytes) in known::corpora() {
        let folder = here.join("../fuzz/corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(&name), &bytes).unwrap();
        let (_, decode) = known::decoders::TARGETS.into_iter().find(|(it, _)| *it == target).unwrap();
        println!("{target}/{name}: {}", if decode(&bytes) { "read" } else { "refused" });
    }
}
