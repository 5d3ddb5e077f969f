"""The references: each model as the Python libraries compute it, with our names.

A module here offers `MODELS`, its entries by name.
"""

from . import r3d, wav2vec2, wavlm

MODELS = {**r3d.MODELS, **wav2vec2.MODELS, **wavlm.MODELS}
