# Every target sets up what it needs: Rust, Python >= 3.10, Node >= 20 and a C compiler are enough.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
# The platform of the demo: iterable, cordial, dotdigital or insider.
DESTINATION ?= iterable
VENV   := target/venv
BIN    := $(abspath $(VENV)/bin)
# What the tests write for the contract check.
EXCHANGES := $(abspath target/exchanges)

.PHONY: demo test bench scale pull types fmt help rust python node contracts golden wheel addon venv clean

help: ## Shows this.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: wheel addon ## A made-up shop arrives in the sandbox, from Python and from Node; DESTINATION=cordial for another platform.
	$(BIN)/python examples/demo.py $(DESTINATION)
	node examples/webhook.mjs

test: ## Everything that must hold.
	bash scripts/test.sh

bench: ## Throughput as ratios against baselines of the same run.
	bash benches/run.sh

scale: ## 200,000 orders through one Sync; prints time and memory.
	cargo run --release --package cartwire-crash --bin scale

pull: ## 200,000 orders pulled from a shop that breaks, by a process that is killed twice; SOURCE=bigcommerce for another shop.
	cargo run --release --package cartwire-crash --bin pull -- --source $(or $(SOURCE),commercetools)

types: venv node_modules/.package-lock.json ## Generates the types of both hosts and the tables in the documentation.
	$(BIN)/python bindings-python/scripts/generate_types.py
	node scripts/generate-types.mjs
	UPDATE_DOCS=1 cargo test --quiet --package cartwire --test docs

fmt: ## Formats the Rust code.
	cargo fmt --all

venv: $(VENV)/.ready

$(VENV)/.ready: bindings-python/requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement bindings-python/requirements-dev.txt
	touch $@

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error

wheel: venv ## Builds the wheel and installs it into target/venv.
	$(BIN)/maturin build --quiet --release --strip --out target/wheels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/wheels/cartwire-*.whl

addon: ## Builds the Node addon.
	node scripts/build-node.mjs --release

clean: ## Removes what was built.
	rm -rf target node_modules var bindings-node/lib/*.node
