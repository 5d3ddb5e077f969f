"""The references: each model as the Python libraries compute it, with our names.

A module here offers `MODELS`, its entries by name.
"""

from . import clip, dinov2, r3d, videomae

MODELS = {**clip.MODELS, **dinov2.MODELS, **r3d.MODELS, **videomae.MODELS}
from . import ast, r3d, swin

MODELS = {**ast.MODELS, **r3d.MODELS, **swin.MODELS}
from . import r3d, wav2vec2, wavlm

MODELS = {**r3d.MODELS, **wav2vec2.MODELS, **wavlm.MODELS}
