#!/bin/bash
# Explores every fuzz target for its share of MINUTES (10), as many at once as there are cores (JOBS).
#
#   fuzz.sh TARGET_DIR [MINUTES]      KEEP=1: new inputs that reach new code join fuzz/corpus
#                                     ONLY="pairing hello": these targets
#                                     PLANT=1: a panic is planted behind each decoder, and every target must find it
#
# Lives here: building with the compiler's own coverage (what cargo-fuzz does, on the stable compiler), running, the report.
# Must not: hold a target: they are in fuzz/.
set -eu
cd "$(dirname "$0")/.."
out=$(realpath -m "$1")/fuzz
minutes=${2:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "$out"

coverage="--cfg fuzzing -Cpasses=sancov-module -Cdebug-assertions -Coverflow-checks
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
echo "Building the fuzz targets (the first time takes some minutes)"
CARGO_TARGET_DIR="$out/build" RUSTFLAGS=$(echo $coverage) \
  cargo build --quiet --release --manifest-path fuzz/Cargo.toml --bins --target "$host"
bin=$out/build/$host/release

targets=(${ONLY:-$(cd fuzz/fuzz_targets && ls | sed 's/\.rs$//')})
cores=${JOBS:-$(nproc)}
seconds=$((minutes * 60 * cores / ${#targets[@]}))
echo "${#targets[@]} targets, $seconds s each, $cores at once"

explore() {
  local name=$1 found=$out/found/$1 log=$out/$1.log
  rm -rf "$out/crashes/$name"; mkdir -p "$found" "$out/crashes/$name"
  "$bin/$name" "$found" "fuzz/corpus/$name" -max_total_time="$seconds" -print_final_stats=1 -max_len=8192 \
    -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$out/crashes/$name/" >"$log" 2>&1 || true
}
running=0
for name in "${targets[@]}"; do
  explore "$name" &
  running=$((running + 1))
  if [ "$running" -ge "$cores" ]; then wait -n; running=$((running - 1)); fi
done
wait

findings=0 missed=0 rows=()
for name in "${targets[@]}"; do
  log=$out/$name.log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n1)
  reached=$(grep -o 'cov: [0-9]*' "$log" | tail -n1 | cut -d' ' -f2 || true)
  crashes=$(find "$out/crashes/$name" -type f | wc -l)
  new=$(find "$out/found/$name" -type f | wc -l)
  rows+=("{\"target\":\"$name\",\"seconds\":$seconds,\"runs\":${runs:-0},\"edges\":${reached:-0},\"new_inputs\":$new,\"crashes\":$crashes}")
  printf '%-10s %10s runs %6s edges %5s new inputs %s crashes\n' "$name" "${runs:-0}" "${reached:-0}" "$new" "$crashes"
  findings=$((findings + crashes))
  [ "$crashes" -gt 0 ] || missed=$((missed + 1))
  if [ "$crashes" = 0 ] && [ -z "${runs:-}" ]; then echo "$name did not run: $log" >&2; exit 1; fi
  # As few as reach everything: how often a place is reached does not count.
  if [ -n "${KEEP:-}" ]; then
    "$bin/$name" -use_counters=0 -set_cover_merge=1 "fuzz/corpus/$name" "$out/found/$name" >/dev/null 2>&1
  fi
done
printf '{"minutes":%s,"findings":%s,"targets":[%s]}\n' "$minutes" "$findings" "$(IFS=,; echo "${rows[*]}")" >"$out/report.json"
if [ -n "${PLANT:-}" ]; then
  echo "$((${#targets[@]} - missed)) of ${#targets[@]} targets found the planted panic"
  [ "$missed" = 0 ]
else
  echo "${#targets[@]} targets explored, $findings findings (target/fuzz/report.json; what broke them: target/fuzz/crashes/)"
  [ "$findings" = 0 ]
fi
