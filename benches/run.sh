#!/usr/bin/env bash
# Builds what users install, measures it, prints one table. Everything it makes is under target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python3}" benches/run.py "$@"
