#!/usr/bin/env bash
# Everything that must hold, in the order in which a failure is cheapest to find. `make test` calls this.
set -euo pipefail
cd "$(dirname "$0")/.."

exchanges="$PWD/target/exchanges"
rm -rf "$exchanges"
mkdir -p "$exchanges"
export CARTWIRE_EXCHANGES_DIR="$exchanges"

step() {
    printf '\n== %s (%d s)\n' "$1" "$SECONDS"
}

step "format and lints"
cargo fmt --all --check
cargo clippy --quiet --workspace --all-targets -- --deny warnings
cargo clippy --quiet --package cartwire --no-default-features -- --deny warnings

step "documentation of the code"
RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps --package cartwire --package cartwire-sandbox

step "rust"
cargo test --quiet --workspace --exclude cartwire-python --exclude cartwire-node --exclude cartwire-bench

step "python: wheel into a clean environment, types, tests"
make --no-print-directory wheel
python="$PWD/target/venv/bin/python"
"$python" bindings-python/scripts/generate_types.py --check
"$python" -m mypy
"$python" -m pyright --warnings
"$python" -m mypy.stubtest cartwire._cartwire
"$python" -m pytest --quiet tests/python

step "node: addon, types, tests, package into a clean folder"
make --no-print-directory node_modules/.package-lock.json addon
npm run --silent types:check
npm test --silent

step "demo"
make --no-print-directory demo
cp var/demo/exchanges.ndjson "$exchanges/demo.ndjson"

step "contracts"
"$python" tests/contracts/run.py "$exchanges"

step "fuzz smoke"
bash fuzz/smoke.sh

printf '\nall green in %d s\n' "$SECONDS"
