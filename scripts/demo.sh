#!/usr/bin/env bash
# Four experiments of the video loop on the sample set, with the playbook proposer.
set -euo pipefail
cd "$(dirname "$0")/.."

bin="${CARGO_TARGET_DIR:-target}/release"
tag="demo-$(date +%Y%m%d-%H%M%S)"

# 5: some files were left out, each of them named; the others are enough.
"$bin/dfr" prepare --sample --modality video || [ $? = 5 ]
"$bin/dfr-daemon" --modality video --task video-sample --tag "$tag" --repo . --state-dir state \
    --proposer playbook --max-experiments 4

echo
column -t -s "$(printf '\t')" "state/$tag/results.tsv" 2>/dev/null || cat "state/$tag/results.tsv"
cat <<EOF

results      state/$tag/results.tsv
memory       state/$tag/STATE.md
logs         state/$tag/runs/   state/$tag/daemon.jsonl
branch       git log autoresearch/$tag
one of them  $bin/dfr-daemon show 1 --tag $tag
EOF
