"""Swin of the transformers library."""

import torch
from transformers import SwinConfig, SwinModel

from .entry import IMAGENET, Entry, Normal


class Swin(Normal):
    def __init__(self, **shape):
        super().__init__(IMAGENET, (1, 3, 1, 1))
        self.swin = SwinModel(SwinConfig(drop_path_rate=0.0, **shape))
        self.head = torch.nn.Sequential(torch.nn.Dropout(0), torch.nn.Linear(self.swin.num_features, 2))

    def forward(self, pictures):
        return self.head(self.swin(self.normal(pictures)).pooler_output)


def smogy():
    return Swin(image_size=224, embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32], window_size=7)


def tiny():
    return Swin(image_size=40, embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=4, mlp_ratio=2)


MODELS = {
    "smogy-swin": Entry(smogy, (2, 3, 224, 224), parameters=86_745_274),
    # Neither patches nor windows nor pairs of rows fit these sides.
    "smogy-swin-tiny": Entry(tiny, (2, 3, 38, 35)),
}
