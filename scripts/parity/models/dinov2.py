"""transformers' DINOv2."""

import torch
from transformers import Dinov2Config, Dinov2Model

from .entry import IMAGENET, Entry, Normal


class Dinov2(Normal):
    def __init__(self, **config):
        super().__init__(IMAGENET, (1, 3, 1, 1))
        # The mask token is for pre-training.
        config = Dinov2Config(use_mask_token=False, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
                              drop_path_rate=0, attn_implementation="sdpa", **config)
        self.backbone = Dinov2Model(config)
        width = config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(0), torch.nn.Linear(width, 2))

    def forward(self, pictures):
        return self.head(self.backbone(self.normal(pictures)).pooler_output)


# As in config.json of facebook/dinov2-base; what is not said here is the library's default.
BASE = dict(hidden_size=768, mlp_ratio=4, num_hidden_layers=12, num_attention_heads=12, image_size=518,
            patch_size=14)
TINY = dict(hidden_size=32, mlp_ratio=2, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            patch_size=8)

# Other sizes than the table's, so that it is resized.
MODELS = {
    "dinov2-base": Entry(lambda: Dinov2(**BASE), (2, 3, 224, 224), parameters=86_580_480 - 768 + 3_074),
    "dinov2-tiny": Entry(lambda: Dinov2(**TINY), (2, 3, 40, 24)),
}
