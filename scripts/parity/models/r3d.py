"""torchvision's R3D."""

import torch
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

from .entry import KINETICS, Entry, Normal


class R3d(Normal):
    def __init__(self, blocks):
        super().__init__(KINETICS, (1, 1, 3, 1, 1))
        self.backbone = VideoResNet(BasicBlock, [Conv3DSimple] * 4, blocks, BasicStem)
        self.backbone.fc = torch.nn.Identity()
        self.head = torch.nn.Sequential(torch.nn.Dropout(0), torch.nn.Linear(512, 2))

    def forward(self, clip):
        return self.head(self.backbone(self.normal(clip).permute(0, 2, 1, 3, 4)))


MODELS = {
    "r3d-18": Entry(lambda: R3d([2, 2, 2, 2]), (2, 8, 3, 64, 64), parameters=33_167_298),
    "r3d-10": Entry(lambda: R3d([1, 1, 1, 1]), (2, 4, 3, 32, 32)),
}
