"""A detector: what a trained model computes in evaluation, one operator of torch a call."""

import torch
from safetensors.torch import load_file

# Every tensor of the file of weights: its shape and kind.
TENSORS = {
    "TENSORS": ((), torch.float32),
}


def attribute(name):
    return "t_" + name.replace(".", "__")


class Detector(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name, (shape, kind) in TENSORS.items():
            self.register_buffer(attribute(name), torch.empty(shape, dtype=kind))
        self.register_buffer("anchor", torch.zeros((), dtype=torch.float32), persistent=False)

    def forward(self, x):
        # The precision that the module was moved to.
        kind = self.anchor.dtype
        if x.is_floating_point():
            x = x.to(kind)
        n = x.shape[0]
        return x  # FORWARD


def load_model(weights_path, num_classes=2):
    if num_classes != 2:
        raise ValueError("this model tells 2 classes: real, synthetic")
    tensors = load_file(weights_path)
    for name, tensor in tensors.items():
        if name in TENSORS and tensor.dtype != TENSORS[name][1]:
            raise ValueError(f"{name} is of kind {tensor.dtype}, not {TENSORS[name][1]}")
    model = Detector()
    model.load_state_dict({attribute(name): tensor for name, tensor in tensors.items()}, strict=True)
    return model
