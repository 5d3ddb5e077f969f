#!/usr/bin/env bash
# Every model on the GPU: its answers beside the CPU's, its steps, and how busy a training keeps it. A few minutes
# after the build. Without a GPU it says so and ends with 0.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "gpu-check: no NVIDIA GPU here: skipped"
    exit 0
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
cargo build --release --locked --quiet -p dfr-trainer -p dfr-tool --bin dfr-train --bin dfr
cargo build --release --locked --quiet -p dfr-lab --example gpu_check
check=target/release/examples/gpu_check
NVIDIA_TF32_OVERRIDE=0 timeout 600 "$check" logits
timeout 600 "$check" steps
timeout 600 "$check" recompute
target/release/dfr prepare --sample --modality video
timeout 600 target/release/dfr train --modality video --task video-sample --model r3d-18 --from-scratch \
    --time-budget 60 --out target/gpu_check | tee target/gpu_check.log | tail -n 25
wait=$(awk '/^data_wait_percent:/ { wait = $2 } END { print wait }' target/gpu_check.log)
echo "the GPU waited for data ${wait} % of the training (goal: at most 5)"
awk -v wait="$wait" 'BEGIN { exit !(wait != "" && wait <= 5) }'
