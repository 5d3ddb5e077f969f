"""The transformers library's Hiera, over each frame by itself."""

import torch
from transformers import HieraConfig, HieraModel

from .entry import IMAGENET, Entry, Normal


class Detector(Normal):
    def __init__(self, config):
        super().__init__(IMAGENET, (1, 3, 1, 1))
        self.encoder = HieraModel(config)
        width = config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(0), torch.nn.Linear(width, 2))

    def forward(self, clip):
        frames = self.encoder(self.normal(clip.flatten(0, 1))).pooler_output
        return self.head(frames.view(*clip.shape[:2], -1).mean(1))


def full():
    """The library's defaults, which are those of facebook/hiera-base-224-hf."""
    return Detector(HieraConfig())


def tiny():
    return Detector(HieraConfig(
        embed_dim=16, image_size=[32, 48], depths=[1, 1, 2], num_heads=[1, 2, 4], num_query_pool=2,
        masked_unit_size=[4, 4], masked_unit_attention=[True, True, False]))


MODELS = {
    "hiera": Entry(full, (2, 2, 3, 224, 224), parameters=50_759_042),
    "hiera-tiny": Entry(tiny, (2, 2, 3, 32, 48)),
}
