"""transformers' VideoMAE."""

import torch
from transformers import VideoMAEConfig, VideoMAEModel

from .entry import IMAGENET, Entry, Normal


class VideoMae(Normal):
    def __init__(self, **config):
        super().__init__(IMAGENET, (1, 1, 3, 1, 1))
        # The public file was made with use_mean_pooling off, hence has a last norm.
        config = VideoMAEConfig(use_mean_pooling=False, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
                                attn_implementation="sdpa", **config)
        self.encoder = VideoMAEModel(config)
        width = config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(0), torch.nn.Linear(width, 2))

    def forward(self, clips):
        return self.head(self.encoder(self.normal(clips)).last_hidden_state.mean(1))


# As in config.json of MCG-NJU/videomae-base, which has the library's defaults.
BASE = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
            image_size=224, patch_size=16, num_frames=16, tubelet_size=2)
TINY = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            image_size=(32, 24), patch_size=8, num_frames=4, tubelet_size=2)

MODELS = {
    "videomae": Entry(lambda: VideoMae(**BASE), (2, 16, 3, 224, 224), parameters=86_230_274),
    "videomae-tiny": Entry(lambda: VideoMae(**TINY), (2, 4, 3, 32, 24)),
}
