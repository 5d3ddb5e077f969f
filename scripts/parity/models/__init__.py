"""The references: each model as the Python libraries compute it, with our names.

The module of a family offers `MODELS`, its entries by name. It is imported when it is asked for: each of the
libraries takes seconds.
"""

from importlib import import_module

FAMILIES = ("ast", "clip", "dinov2", "efficientnet", "hiera", "r3d", "swin", "videomae", "wav2vec2", "wavlm")


def of_family(family):
    """The entries of one family, by name."""
    return import_module(f".{family}", __name__).MODELS


def every():
    """All entries, by name."""
    return {name: entry for family in FAMILIES for name, entry in of_family(family).items()}
