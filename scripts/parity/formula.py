"""Values that Python and Rust compute alike, in place of stored weights and inputs.

The value at place `i` of the tensor `name` follows from SplitMix64 at `fnv1a(name) + i`: its upper 24 bits
as a fraction in -1..1. The twin is `trainer/lab/tests/reference.rs`.
"""

import math

import numpy as np
import torch

# What a model computes by itself, and counters: left as they are.
KEPT = ("num_batches_tracked", "relative_position_index", "spectrogram.window", "mel_scale.fb")


def filled(name):
    """Whether a tensor's values come from the formula."""
    return name not in ("mean", "std") and not name.endswith(KEPT)


def fill(name, tensor):
    """Replaces the values of a state tensor in place."""
    if not filled(name):
        return
    values = fractions(name, tensor.numel())
    if tensor.dim() >= 2:
        values = values * math.sqrt(3 * tensor.shape[0] / tensor.numel())
    elif name.endswith(("running_var", "weight", "const")):
        values = 1 + values * 0.25
    else:
        values = values * 0.25
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(values).reshape(tensor.shape))


def formula_input(shape, audio):
    """A batch: bytes of pictures, or sound in float64."""
    values = fractions("input", math.prod(shape))
    if audio:
        return torch.from_numpy(values * 0.5).reshape(shape)
    return torch.from_numpy(np.floor((values + 1) * 128).astype(np.uint8)).reshape(shape)


def projection(name, tensor):
    """The sum of the values, each times the formula's at its place."""
    return float(np.dot(tensor.double().flatten().numpy(), fractions("projection " + name, tensor.numel())))


def fractions(name, count):
    """`count` values in -1..1, float64; exact in float32."""
    key = np.uint64(fnv1a(name))
    with np.errstate(over="ignore"):
        z = (key + np.arange(count, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def fnv1a(text):
    """The 64-bit hash FNV-1a."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
