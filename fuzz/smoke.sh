#!/usr/bin/env bash
# Runs every fuzz target for a while: FUZZ_SECONDS each (30 unless set), FUZZ_JOBS at a time (2 unless set). Finds nothing
# new in that time, but tells that the targets still build, still reach the code and still hold.
# Needs stable Rust, and a C++ compiler for libFuzzer; without one it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${FUZZ_SECONDS:-30}"
jobs="${FUZZ_JOBS:-2}"
targets=(${FUZZ_TARGETS:-resources bigcommerce messages webhooks pull pages canonical signals options replies delta})

compiler="${CXX:-c++}"
if ! command -v "$compiler" >/dev/null; then
    echo "fuzz smoke: skipped, libFuzzer needs a C++ compiler and there is no $compiler"
    exit 0
fi
if [[ "$(uname -s)" != Linux && "$(uname -s)" != Darwin ]]; then
    echo "fuzz smoke: skipped, cargo-fuzz runs on Linux and macOS"
    exit 0
fi

export PATH="$PWD/target/tools/bin:$PATH"
if ! command -v cargo-fuzz >/dev/null; then
    echo "fuzz smoke: installing cargo-fuzz into target/tools"
    cargo install --quiet --locked --root target/tools --target-dir target/tools/build cargo-fuzz
fi

# libFuzzer's instrumentation is behind unstable flags of a stable compiler. No sanitizer: the code under test is safe Rust.
export RUSTC_BOOTSTRAP=1
logs=target/fuzz
mkdir -p "$logs"
cargo fuzz build --sanitizer none --target-dir target/fuzz/build 2>"$logs/build.log" || { tail -40 "$logs/build.log"; exit 1; }

# The golden cases are seeds as well.
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
done
for file in tests/golden/*/*/source.json tests/golden/*/*/canonical.json; do
    [[ -e "$file" ]] || continue
    name="$(basename "$(dirname "$file")").json"
    case "$file" in
        */source.json) for target in resources messages bigcommerce; do mkdir -p "fuzz/corpus/$target" && cp "$file" "fuzz/corpus/$target/$name"; done ;;
        *) mkdir -p fuzz/corpus/canonical && cp "$file" "fuzz/corpus/canonical/$name" ;;
    esac
done

run() {
    local target="$1" began=$SECONDS status=0
    mkdir -p "fuzz/artifacts/$target"
    target/fuzz/build/"$(rustc -vV | sed -n 's/^host: //p')"/release/"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
        -max_len=16384 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        "fuzz/corpus/$target" "fuzz/seeds/$target" >"$logs/$target.log" 2>&1 || status=$?
    local executions
    executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$target.log")"
    echo "fuzz $target: ${executions:-0} executions, $((SECONDS - began)) s, $([[ $status == 0 ]] && echo clean || echo "FAILED, see $logs/$target.log")"
    return "$status"
}

failed=0
running=()
for target in "${targets[@]}"; do
    if ((${#running[@]} >= jobs)); then
        wait "${running[0]}" || failed=1
        running=("${running[@]:1}")
    fi
    run "$target" &
    running+=($!)
done
for pid in "${running[@]}"; do
    wait "$pid" || failed=1
done
exit "$failed"
