#!/usr/bin/env python3
"""Our models beside those of the Python libraries: the same weights, the same input.

  parity.py                 every model: logits, gradients, checkpoints both ways, parameter counts
  parity.py NAME…           these
  parity.py --write NAME…   writes the small references that the Rust tests read, and compares nothing

Bars: logits in float32 within 1e-4; each gradient in float64 within 1e-6 of its norm, or of a thousandth of
the norm of all where that is more; both programs load each other's checkpoint strictly. Exit code 1 if
any is missed. Every draw has the seed 0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from formula import fill, filled, formula_input, projection
from models import every

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "trainer" / "lab" / "tests" / "reference"
MODELS = every()
LOGITS_BAR = 1e-4
GRADIENT_BAR = 1e-6
TIMEOUT_S = 1800


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="models [default: all]")
    parser.add_argument("--write", action="store_true", help="write the references of the tiny ones")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in MODELS]
    if unknown:
        sys.exit(f"error: no model is named {unknown[0]}: choose of {', '.join(MODELS)}")
    names = arguments.names or list(MODELS)
    if arguments.write:
        for name in names:
            write_reference(name)
        return
    rows = [compare(name) for name in names]
    report(rows)
    sys.exit(0 if all(row["holds"] for row in rows) else 1)


def compare(name):
    """Weights drawn by the library, through both."""
    print(f"parity: {name}", file=sys.stderr, flush=True)
    entry = MODELS[name]
    torch.manual_seed(0)
    model = entry.build()
    disturb(model)
    batch = entry.input(torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        save_file(contiguous(model.state_dict()), directory / "weights.safetensors")
        save_file({"input": batch}, directory / "input.safetensors")
        ours = run_ours(name, directory)
        returned = load_file(directory / "model.safetensors")
    model.load_state_dict(returned, strict=True)
    theirs = answers(model, batch)
    logits = (ours["logits"] - theirs["logits"]).abs().max().item()
    gradients = worst_gradient(ours, theirs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    counted = entry.parameters in (None, parameters)
    return {"model": name, "parameters": parameters, "counted": counted, "logits": logits,
            "gradients": gradients,
            "holds": counted and logits <= LOGITS_BAR and gradients <= GRADIENT_BAR}


def disturb(model):
    """Scales of 1, shifts and tables of 0 would hide what multiplies or adds them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)


def contiguous(state):
    return {name: tensor.contiguous().clone() for name, tensor in state.items()}


def run_ours(name, directory):
    command = [program(), name, "weights.safetensors", "input.safetensors", "."]
    subprocess.run(command, cwd=directory, check=True, timeout=TIMEOUT_S)
    return load_file(directory / "answers.safetensors")


def program():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target.resolve() / "release" / "examples" / "parity"


def answers(model, batch):
    """As `trainer/lab/examples/parity.rs` answers."""
    model.eval()
    with torch.no_grad():
        logits = model(batch)
    model.double().train()
    labels = torch.arange(len(batch)) % 2
    exact = batch.double() if batch.dtype == torch.float32 else batch
    loss = torch.nn.functional.cross_entropy(model(exact), labels)
    model.zero_grad()
    loss.backward()
    gradients = {f"gradient.{name}": parameter.grad for name, parameter in model.named_parameters()
                 if parameter.grad is not None}
    return {"logits": logits, "loss": loss.detach(), **gradients}


def worst_gradient(ours, theirs):
    """The largest difference of a tensor's gradients, as a fraction of what it may be compared with."""
    names = [name for name in theirs if name.startswith("gradient.")]
    if set(names) != {name for name in ours if name.startswith("gradient.")}:
        surplus = set(names) ^ {name for name in ours if name.startswith("gradient.")}
        raise SystemExit(f"error: only one of both has a gradient of {sorted(surplus)[:3]}")
    for name in names:
        if not (ours[name].isfinite().all() and theirs[name].isfinite().all()):
            raise SystemExit(f"error: {name} is not finite")
    total = torch.stack([theirs[name].norm() for name in names]).norm().item()
    return max((ours[name] - theirs[name]).norm().item() / max(theirs[name].norm().item(), 1e-3 * total)
               for name in names)


def report(rows):
    print(f"{'model':24} {'parameters':>12} {'logits':>9} {'gradients':>9}  holds")
    for row in rows:
        count = f"{row['parameters']}{'' if row['counted'] else '!'}"
        print(f"{row['model']:24} {count:>12} {row['logits']:9.1e} {row['gradients']:9.1e}  "
              f"{'yes' if row['holds'] else 'NO'}")
    path = ROOT / "target" / "reports" / "parity.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"bars": {"logits": LOGITS_BAR, "gradients": GRADIENT_BAR}, "rows": rows}, indent=1))
    print(f"report: {path}")


def write_reference(name):
    """Weights and input are a formula, so that the file holds answers only."""
    entry = MODELS[name]
    torch.manual_seed(0)
    model = entry.build().double()
    state = model.state_dict()
    for key, tensor in state.items():
        fill(key, tensor)
    batch = formula_input(entry.shape, entry.audio)
    model.eval()
    with torch.no_grad():
        logits = model(batch)
    labels = torch.arange(len(batch)) % 2
    loss = torch.nn.functional.cross_entropy(model.train()(batch), labels)
    loss.backward()
    gradients = {key: [parameter.grad.norm().item(), projection(key, parameter.grad)]
                 for key, parameter in model.named_parameters() if parameter.grad is not None}
    reference = {
        "model": name, "input": list(entry.shape), "parameters": sum(p.numel() for p in model.parameters()),
        "logits": logits.tolist(), "loss": loss.item(), "gradients": gradients,
        "state": {key: [list(tensor.shape), filled(key)] for key, tensor in state.items()},
    }
    REFERENCES.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in reference.items())
    (REFERENCES / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
    print(f"wrote {name}.json")


if __name__ == "__main__":
    main()
