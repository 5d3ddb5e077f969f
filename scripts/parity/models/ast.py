"""AST of the transformers library behind torchaudio's mel spectrogram."""

import torch
from torchaudio.transforms import MelSpectrogram
from transformers import ASTConfig, ASTModel

from .entry import Entry


class Ast(torch.nn.Module):
    """Each record's spectrogram is normalised by its own mean and deviation, not by the batch's."""

    def __init__(self, **shape):
        super().__init__()
        config = ASTConfig(**shape)
        self.mel_transform = MelSpectrogram(
            sample_rate=16000, n_fft=400, hop_length=160, n_mels=config.num_mel_bins)
        self.encoder = ASTModel(config)
        width = config.hidden_size
        self.head = torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Dropout(0),
                                        torch.nn.Linear(width, 2))

    def forward(self, sounds):
        records = [self.features(sound) for sound in sounds]
        return self.head(self.encoder(torch.stack(records)).pooler_output)

    def features(self, sound):
        """Time by bands, as long as the encoder's table of places."""
        power = torch.log(self.mel_transform(sound) + 1e-8)
        normal = ((power - power.mean()) / (power.std() + 1e-8)).T
        missing = self.encoder.config.max_length - len(normal)
        return torch.cat([normal, normal.new_zeros(missing, normal.shape[1])])


def tiny():
    return Ast(num_mel_bins=32, max_length=32, hidden_size=24, num_hidden_layers=2, num_attention_heads=2,
               intermediate_size=48)


MODELS = {
    "ast": Entry(Ast, (2, 96000), audio=True, parameters=86_190_338),
    "ast-tiny": Entry(tiny, (2, 4000), audio=True),
}
