"""transformers' CLIP, the vision tower."""

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from .entry import CLIP, Entry, Normal


class Clip(Normal):
    def __init__(self, **config):
        super().__init__(CLIP, (1, 3, 1, 1))
        config = CLIPVisionConfig(attention_dropout=0, attn_implementation="sdpa", **config)
        self.vision_model = CLIPVisionModel(config)
        width = config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(0), torch.nn.Linear(width, 2))

    def forward(self, pictures):
        return self.head(self.vision_model(self.normal(pictures)).pooler_output)


# As in config.json of openai/clip-vit-large-patch14; what is not said here is the library's default.
VIT_L14 = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
               image_size=224, patch_size=14)
VIT_TINY = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                image_size=32, patch_size=8)

MODELS = {
    "clip-vit-l14": Entry(lambda: Clip(**VIT_L14), (2, 3, 224, 224), parameters=303_183_874),
    "clip-vit-tiny": Entry(lambda: Clip(**VIT_TINY), (2, 3, 32, 32)),
}
