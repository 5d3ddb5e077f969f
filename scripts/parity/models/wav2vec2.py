"""transformers' wav2vec 2.0."""

from transformers import Wav2Vec2Config, Wav2Vec2Model

from .entry import Entry
from .speech import CALM, TINY, Speech

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
LV60 = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}


def build(**options):
    config = Wav2Vec2Config(**CALM, **options, attn_implementation="sdpa")
    return Speech(Wav2Vec2Model(config), normalize=True)


MODELS = {
    "wav2vec2": Entry(build, (2, 16000), audio=True, parameters=94_570_626),
    "wav2vec2-large": Entry(lambda: build(**LARGE), (2, 8000), audio=True),
    "wav2vec2-large-lv60": Entry(lambda: build(**LARGE, **LV60), (2, 8000), audio=True),
    "wav2vec2-tiny": Entry(lambda: build(**TINY), (2, 400), audio=True),
    "wav2vec2-lv60-tiny": Entry(
        lambda: build(**{**TINY, **LV60, "num_conv_pos_embeddings": 5}), (2, 400), audio=True),
}
