#!/bin/bash
# Everything that is checked, one named step after the other; quiet where all is well. A step that takes long says what it does.
#
#   all.sh TARGET_FOLDER
#
# Lives here: the order of the steps, and the sum of what they found.
# Must not: install anything, or check anything itself.
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p "$1"
log=$(readlink -f "$1")/test.log
failed=0

# while_told NAME CMD...: runs it with its output in the log; every quarter of a minute a line says how far it is.
while_told() {
  local name=$1 from=$SECONDS teller status; shift
  : >"$log"
  while sleep 15 >/dev/null 2>&1 </dev/null && kill -0 $$ 2>/dev/null; do
    printf '  %s: %d s, %s\n' "$name" $((SECONDS - from)) "$(grep -a . "$log" | tail -n 1 | tr -d '\r' | sed 's/^ *//' | cut -c 1-90)"
  done &
  teller=$!
  "$@" >"$log" 2>&1
  status=$?
  kill $teller; wait $teller 2>/dev/null
  return $status
}

step() { # step NAME CMD...
  local name=$1 from=$SECONDS; shift
  if while_told "$name" "$@"; then
    printf '%-44s ok    %4d s\n' "$name" $((SECONDS - from))
  else
    printf '%-44s FAILED %3d s\n' "$name" $((SECONDS - from))
    tail -n 60 "$log"
    failed=$((failed + 1))
  fi
}

step "build" cargo build --workspace --all-targets
step "format" cargo fmt --all -- --check
step "lints" cargo clippy --workspace --all-targets -- -D warnings
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items
if cargo deny --version >/dev/null 2>&1; then step "licenses and sources" cargo deny check bans licenses sources
else echo "licenses and sources: cargo-deny is not installed, not checked"; fi
if ! cargo deny --version >/dev/null 2>&1; then echo "advisories: cargo-deny is not installed, not checked"
elif timeout 60 cargo deny fetch db >/dev/null 2>&1; then step "advisories" cargo deny check --disable-fetch advisories
else echo "advisories: their list cannot be fetched here, not checked"; fi
if command -v typos >/dev/null; then step "spelling" typos
else echo "spelling: typos is not installed, not checked"; fi

# Three calls on emulated lines, without judging figures.
step "sound on a line" "$1/lab-python/bin/python" tests/lab/sound_cases.py "$1" "programs=$1/debug" "cases=clean loss10 rate48" servers=pulseaudio short

# Ten set-ups in each network, without judging figures.
if [ -r /dev/net/tun ] && [ -w /dev/net/tun ] && unshare --net true 2>/dev/null; then
  step "calls through networks" "$1/lab-python/bin/python" tests/lab/net_cases.py "$1" "programs=$1/debug" short
else echo "calls through networks: skipped, namespaces and /dev/net/tun are root's here"; fi

from=$SECONDS
while_told tests "$1/lab-python/bin/python" tests/lanes.py
status=$?
# One `test result:` line a binary: "ok. 3 passed; 0 failed; …".
read -r passed broken ignored < <(awk '
  /^test result:/ { gsub(/[;.]/, ""); for (i = 1; i < NF; i++) {
    if ($(i + 1) == "passed") p += $i; if ($(i + 1) == "failed") f += $i; if ($(i + 1) == "ignored") g += $i } }
  END { print p + 0, f + 0, g + 0 }' "$log")
if [ $status = 0 ]; then printf '%-44s ok    %4d s\n' tests $((SECONDS - from))
else
  printf '%-44s FAILED %3d s\n' tests $((SECONDS - from))
  # What broke, and its words; all of it is in the log. `cargo test` lists what failed between "failures:" and a second "failures:".
  awk '
    /^failures:/ { within = !within; next }
    /^(successes:|test result:|error)/ { within = 0 }
    /^error|could not compile/ { print; next }
    within && /^---- / { lines = 0 }
    within && NF && lines++ < 8 { print substr($0, 1, 400) }' "$log" | head -n 60
  [ "$broken" -gt 0 ] || { tail -n 30 "$log"; failed=$((failed + 1)); }
  echo "The whole output: $log"
fi
grep -E '^SCORE: ' "$log" | sort -u
grep -E '^SKIPPED: ' "$log" | sort -u
# A test that does not run shows nothing: only what is listed may be left out.
unlisted=$(awk -v root="$(id -u)" -F ' *[|] *' '
  FNR == NR { if ($0 !~ /^#/ && ($2 == "always" || root != 0)) may[$1]; next }
  /^SKIPPED: / { said = substr($0, 10); for (known in may) if (index(said, known) == 1) next; if (!told[said]++) print said }
' tests/skips.txt "$log")
if [ -n "$unlisted" ]; then
  printf 'Skipped, and not in tests/skips.txt:\n%s\n' "$unlisted"
  failed=$((failed + $(printf '%s\n' "$unlisted" | wc -l)))
fi
echo "$(grep -cE '^SKIPPED: ' "$log") skipped, $ignored ignored"
echo "$passed passed, $((failed + broken)) failed"
[ $((failed + broken)) = 0 ]
