"""The head of speech models over an encoder of transformers."""

import numpy as np
import torch
from transformers import Wav2Vec2FeatureExtractor

# Nothing random in training; the masking vector exists, as in the public checkpoints.
CALM = {
    "hidden_dropout": 0.0, "activation_dropout": 0.0, "attention_dropout": 0.0, "feat_proj_dropout": 0.0,
    "final_dropout": 0.0, "layerdrop": 0.0, "apply_spec_augment": False, "mask_time_prob": 0.05,
}
# The library's defaults are the constants of the base models.
TINY = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48,
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 3, 2), "conv_stride": (5, 2, 2),
    "num_conv_pos_embeddings": 6, "num_conv_pos_embedding_groups": 4,
}


class Speech(torch.nn.Module):
    def __init__(self, encoder, normalize):
        super().__init__()
        self.encoder = encoder
        self.normalize = normalize
        width = encoder.config.hidden_size
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width), torch.nn.Dropout(0), torch.nn.Linear(width, 256), torch.nn.GELU(),
            torch.nn.Dropout(0), torch.nn.Linear(256, 2))

    def forward(self, sound):
        if self.normalize:
            normal = Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm(list(sound.numpy()), None)
            sound = torch.from_numpy(np.stack(normal))
        return self.head(self.encoder(sound).last_hidden_state.mean(1))
