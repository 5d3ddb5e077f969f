#!/usr/bin/env bash
# The whole test suite; with nextest where it is installed. The last line is the runner's summary.
set -euo pipefail
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
    exec cargo nextest run --workspace --locked --no-fail-fast
fi
# cargo test sums up each binary by itself; the last of them need not hold any test.
cargo test --workspace --locked --no-fail-fast --all-targets 2>&1 |
    awk '{ print; fflush() }
         /^test result:/ { passed += $4; failed += $6; skipped += $8 }
         END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }'
