"""timm's EfficientNet."""

from functools import partial

import timm
import torch
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet

from .entry import IMAGENET, Entry, Normal


class Detector(Normal):
    def __init__(self, backbone):
        super().__init__(IMAGENET, (1, 3, 1, 1))
        self.backbone = backbone
        self.head = torch.nn.Sequential(torch.nn.Dropout(0), torch.nn.Linear(backbone.num_features, 2))

    def forward(self, picture):
        return self.head(self.backbone(self.normal(picture)))


def full(name):
    return lambda: Detector(timm.create_model(name, num_classes=0))


def tiny():
    stages = [["ds_r1_k3_s1_e1_c16_se0.25"], ["ir_r2_k5_s2_e4_c24_se0.25"]]
    return Detector(EfficientNet(
        decode_arch_def(stages), num_classes=0, num_features=48, stem_size=16,
        round_chs_fn=partial(round_channels, multiplier=1.0), act_layer=torch.nn.SiLU))


MODELS = {
    "efficientnet-b4": Entry(full("efficientnet_b4"), (2, 3, 96, 96), parameters=17_552_202),
    "efficientnet-b5": Entry(full("efficientnet_b5"), (2, 3, 96, 96)),
    "efficientnet-b7": Entry(full("efficientnet_b7"), (2, 3, 96, 96)),
    "efficientnet-tiny": Entry(tiny, (2, 3, 32, 32)),
}
