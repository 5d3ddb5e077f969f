"""The references: each model as the Python libraries compute it, with our names.

A module of a family offers `MODELS`, its entries by name.
"""

from . import ast, clip, dinov2, efficientnet, hiera, r3d, swin, videomae, wav2vec2, wavlm

MODULES = (ast, clip, dinov2, efficientnet, hiera, r3d, swin, videomae, wav2vec2, wavlm)
MODELS = {name: entry for module in MODULES for name, entry in module.MODELS.items()}
