#!/bin/bash
# Changes the rules of calling in every way that cargo-mutants knows, one at a time, and says which changes no test notices.
#
#   mutants.sh TARGET_FOLDER [FILE...]      FILE: a part of call/src, e.g. call/leg.rs; none: all of it
#
# AGAIN=1 tries only what survived the last time, or is new since. LISTS: random lists that the last survivors are given.
#
# What survives stands in TARGET_FOLDER/mutants/mutants.out/missed.txt, and in call/MUTANTS.md with a reason each.
#
# Lives here: a small workspace of the rules and their simulation alone, so that a change costs seconds and no daemon is built.
# Must not: touch the project's own files.
set -eu
cd "$(dirname "$0")/.."
target=$1; shift
mkdir -p "$target"
place=$(readlink -f "$target")/mutants

# Stories and the table first; what they let live is then given the unit tests and so many random lists.
LISTS=${LISTS:-1000}
stories="calling table busy hold policies glare bad_network suspend restart devices away repair paths merge late laws groups"

# --- The workspace: `call` as it is, and one crate whose tests are the world and every question about calling.
rm -rf "$place/call" "$place/sim"
again=()
if [ -n "${AGAIN:-}" ] && [ -d "$place/mutants.out" ]; then again=(--iterate)
else rm -rf "$place/mutants.out" "$place/mutants.out.old"; fi
mkdir -p "$place/sim/src"
cp -r call "$place/call"
cp -r tests/src/{world,world.rs,network.rs,media.rs,op,op.rs,talk.rs} "$place/sim/src/"
for story in $stories anything_goes; do
  cp "tests/tests/$story.rs" "$place/sim/src/test_$story.rs"
  [ ! -d "tests/tests/$story" ] || cp -r "tests/tests/$story" "$place/sim/src/"
done
sed -i "s/^const LISTS: u64 = .*/const LISTS: u64 = $LISTS;/; s/^const FLOOR: u64 = .*/const FLOOR: u64 = 0;/" "$place/sim/src/test_anything_goes.rs"
{
  echo "extern crate self as ahoy_tests;"
  for model in world network media op talk; do echo "#[cfg(test)] pub mod $model;"; done
  for story in $stories anything_goes; do echo "#[cfg(test)] mod test_$story;"; done
} >"$place/sim/src/lib.rs"
cat >"$place/sim/Cargo.toml" <<END
[package]
name = "sim"
edition.workspace = true
[dependencies]
ahoy-call = { path = "../call" }
END
{
  printf '[workspace]\nresolver = "3"\nmembers = ["call", "sim"]\n'
  sed -n '/^\[workspace.package\]/,/^$/p' Cargo.toml
  printf '[workspace.lints]\n[profile.dev]\ndebug = false\n[profile.dev.package.ahoy-call]\nopt-level = 1\n'
} >"$place/Cargo.toml"

# --- Each change is made in that workspace. One that loops is stopped before it eats the machine.
cd "$place"
export RUST_BACKTRACE=0
ulimit -v 8000000
files=()
for file in "$@"; do files+=(--file "call/src/$file"); done
run() { # run ARGUMENT... -- TEST-FILTER...
  cargo mutants --package ahoy-call --in-place --cap-lints=true --no-times --colors never \
    --timeout "${TIMEOUT:-20}" --build-timeout 120 "${files[@]}" "$@" || case $? in 2|3) ;; *) return 1 ;; esac # 2, 3: some survived, some looped
}
run "${again[@]}" --test-package sim -- --lib -- --skip test_anything_goes
run --iterate --test-workspace=true -- --lib -- test_anything_goes tests:: --skip a_seed_gives
sort -o mutants.out/missed.txt mutants.out/missed.txt
echo "$(wc -l <mutants.out/missed.txt) survive:"
cat mutants.out/missed.txt
echo "$(wc -l <mutants.out/timeout.txt) loop:"
cat mutants.out/timeout.txt
