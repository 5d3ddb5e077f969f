"""The references: each model as the Python libraries compute it, with our names.

A module here offers `MODELS`, its entries by name.
"""

from . import efficientnet, hiera, r3d

MODELS = {**efficientnet.MODELS, **hiera.MODELS, **r3d.MODELS}
