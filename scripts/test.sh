#!/usr/bin/env bash
# The whole test suite; with nextest where it is installed. The last lines are the runner's summary.
set -euo pipefail
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --locked --no-fail-fast
fi
exec cargo test --workspace --locked --no-fail-fast
