#!/usr/bin/env python3
"""Writes the mel spectrograms of torchaudio that `trainer/lab/src/models/mel_tests.rs` reads."""

import json
from pathlib import Path

import torch
from torchaudio.transforms import MelSpectrogram

DATA = Path(__file__).resolve().parents[2] / "trainer" / "lab" / "tests" / "data" / "mel.json"
# Sample rate, window, hop, bands, samples: a small one, and that of AST on a short sound.
SIZES = [(8000, 64, 20, 6, 150), (16000, 400, 160, 128, 700)]


def main():
    references = [reference(*size) for size in SIZES]
    DATA.write_text("[\n" + ",\n".join(map(json.dumps, references)) + "\n]\n")
    print(f"wrote {DATA.name}")


def reference(sample_rate, window, hop, bands, samples):
    mel = MelSpectrogram(sample_rate=sample_rate, n_fft=window, hop_length=hop, n_mels=bands).double()
    time = torch.arange(samples, dtype=torch.float64)
    chirp = (time.square() * 0.005).sin() * 0.5
    return {"sample_rate": sample_rate, "window": window, "hop": hop, "bands": bands, "samples": samples,
            "spectrogram": mel(chirp).tolist(), "triangles": mel.mel_scale.fb.sum(0).tolist()}


if __name__ == "__main__":
    main()
