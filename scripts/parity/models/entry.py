"""What is compared."""

from dataclasses import dataclass
from typing import Callable

import torch


@dataclass(frozen=True)
class Entry:
    """A reference model; all its randomness in training is off."""

    build: Callable[[], torch.nn.Module]
    # Of the input, batch first.
    shape: tuple
    audio: bool = False
    # Where it is known from elsewhere.
    parameters: int | None = None

    def input(self, generator):
        """A batch: noise, as bytes or as float32 in -0.5..0.5."""
        if self.audio:
            return torch.rand(self.shape, generator=generator) - 0.5
        return torch.randint(256, self.shape, dtype=torch.uint8, generator=generator)


def constants(values, shape):
    """A buffer of colour statistics."""
    return torch.tensor(values).view(shape)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
KINETICS = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))


class Normal(torch.nn.Module):
    """Bytes of pictures to normalised colours, in the kind of the buffers."""

    def __init__(self, statistics, shape):
        super().__init__()
        self.register_buffer("mean", constants(statistics[0], shape))
        self.register_buffer("std", constants(statistics[1], shape))

    def normal(self, x):
        return (x.to(self.mean.dtype) / 255 - self.mean) / self.std
