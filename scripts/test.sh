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
cargo clippy --quiet --workspace --exclude cartwire-node --all-targets -- --deny warnings
# napi leaves its registrations out of test builds, where everything would then look unused.
cargo clippy --quiet --package cartwire-node --lib -- --deny warnings
cargo clippy --quiet --package cartwire --no-default-features -- --deny warnings

step "documentation of the code"
RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps --package cartwire --package cartwire-sandbox

step "rust"
# The exchanges of the unit tests of a destination and of the sandbox's own tests go into files of their own.
CARTWIRE_EXCHANGES="$exchanges/sandbox.ndjson" cargo test --quiet --package cartwire-sandbox
CARTWIRE_EXCHANGES="$exchanges/iterable.ndjson" cargo test --quiet --package cartwire

step "rust: killed at random moments"
cargo test --quiet --package cartwire-crash

step "rust: a destination from outside"
cargo test --quiet --package own-destination

step "python: wheel into a clean environment, types, tests"
make --no-print-directory wheel
python="$PWD/target/venv/bin/python"
"$python" bindings-python/scripts/generate_types.py --check
"$python" -m mypy
"$python" -m pyright --pythonpath "$python"
"$python" -m mypy.stubtest cartwire._cartwire
"$python" -m pytest --quiet tests/python
rm -rf target/clean
python3 -m venv target/clean
target/clean/bin/python -m pip install --quiet --disable-pip-version-check --no-index target/wheels/cartwire-*.whl
(cd / && "$OLDPWD/target/clean/bin/python" -c 'import cartwire
with cartwire.Sandbox() as sandbox:
    orders = cartwire.Sandbox.sample("order", count=2)
    plan = cartwire.build(orders, source="commercetools", resource="order", destination={"type": "iterable", "project_type": "hybrid"})
    purchases = [request for request in plan["requests"] if request["endpoint"] == "commerce.trackPurchase"]
    assert len(purchases) == 2, plan')

step "node: addon, types, tests, package into a clean folder"
make --no-print-directory node_modules/.package-lock.json addon
npm run --silent types:check
npm test --silent

step "servers nobody here wrote"
(cd tests/real && npm ci --silent --no-audit --no-fund && node --test)

step "demo"
make --no-print-directory demo
cp var/demo/exchanges.ndjson "$exchanges/demo.ndjson"

step "contracts"
"$python" tests/contracts/run.py "$exchanges"
# Only what the library sends: the sandbox's own tests send what must be refused.
(cd tests/contracts && npm ci --silent --no-audit --no-fund && node zod.mjs "$exchanges"/{golden,endpoints,iterable,demo}.ndjson)

step "fuzz smoke"
bash fuzz/smoke.sh

printf '\nall green in %d s\n' "$SECONDS"
