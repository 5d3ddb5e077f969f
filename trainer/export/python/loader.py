"""Loads an unpacked submission as the competition's public loader does. The scripts beside it begin with this text.

The folder also holds `loader.json`: `weights_file`, `dtype`, `arguments` (of load_model).
"""

import importlib.abc
import importlib.util
import json
import pathlib
import sys

LIBRARIES = {"torch", "numpy", "safetensors"}


class OnlyLibraries(importlib.abc.MetaPathFinder):
    """What a module may import is Python's own and the libraries that are there for certain."""

    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top not in LIBRARIES and top not in sys.stdlib_module_names and top not in sys.modules:
            raise ImportError(f"{name} is not there: a model may count on torch, numpy and safetensors only")
        return None


def libraries():
    import numpy
    import torch
    import safetensors.torch
    sys.meta_path.insert(0, OnlyLibraries())
    return torch, numpy


def load(torch, folder, device):
    folder = pathlib.Path(folder)
    loader = json.loads((folder / "loader.json").read_text())
    spec = importlib.util.spec_from_file_location("custom_model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_model"] = module
    spec.loader.exec_module(module)
    model = module.load_model(str(folder / loader["weights_file"]), **loader["arguments"])
    if not isinstance(model, torch.nn.Module):
        raise TypeError("load_model returned no torch.nn.Module")
    kinds = {"float32": torch.float32, "fp32": torch.float32, "float16": torch.float16, "fp16": torch.float16,
             "bfloat16": torch.bfloat16, "bf16": torch.bfloat16}
    return model.to(device, kinds[loader["dtype"].lower()]).eval()


def logits(output):
    """What a model may return: logits, something with them, or a tuple of one."""
    if hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, dict):
        output = output.get("logits", output.get("output", next(iter(output.values()))))
    elif isinstance(output, (tuple, list)):
        output = output[0]
    if output.ndim != 2 or output.shape[1] not in (1, 2, 3):
        raise ValueError(f"the answer has shape {tuple(output.shape)}: it must be [records, 1 to 3]")
    return output.float().cpu()


# What follows is the script's own.

