"""The reference in training: the twin of `trainer/lab/examples/train_bench.rs`.

`equal` has our optimiser's kernel (`AdamW(fused=True)`); `default` is as dfresearch trains: plain AdamW.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))

import torch  # noqa: E402
from models import of_family  # noqa: E402


def main():
    family, name, settings = sys.argv[1:]
    entry = of_family(family)[name]
    torch.manual_seed(0)
    model = entry.build().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=settings == "equal" or None)
    batch = entry.input(torch.Generator().manual_seed(0))
    labels = torch.arange(len(batch)) % 2
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        torch.nn.functional.cross_entropy(model(batch), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        print((time.perf_counter() - began) * 1e3, flush=True)


if __name__ == "__main__":
    main()
