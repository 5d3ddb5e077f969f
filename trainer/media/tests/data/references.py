"""Small files, and what PIL, OpenCV, soundfile and soxr make of them; they are committed.

python3 -m venv v && v/bin/pip install numpy==2.4.6 pillow==12.1.1 opencv-python-headless==5.0.0.93 \\
  soundfile==0.14.0 soxr==1.1.0
v/bin/python references.py
"""

import json
import pathlib

import cv2
import numpy
import soundfile
import soxr
from PIL import Image

HERE = pathlib.Path(__file__).parent / "references"
SIDE, RATE, SAMPLES, STORED = 32, 16000, 3200, 4800
draw = numpy.random.default_rng(7)


def picture(width, height):
    """Smooth fields with edges and a little grain."""
    y, x = numpy.mgrid[0:height, 0:width] / 17
    waves = [numpy.sin(x * a + y * b) for a, b in draw.uniform(-2, 2, (3, 2))]
    levels = 128 + 90 * numpy.stack(waves, -1) * numpy.sign(numpy.cos(x * y))[..., None]
    return Image.fromarray((levels + draw.normal(0, 4, levels.shape)).clip(0, 255).astype("uint8"))


def original(image):
    """dfresearch: straight to size, antialiased."""
    return numpy.asarray(image.resize((SIDE, SIDE), Image.BILINEAR))


def benchmark(image):
    """gasbench: centre crop to the target's aspect, then no antialiasing."""
    pixels = numpy.asarray(image)
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cropped = pixels[top : top + side, left : left + side]
    return cv2.resize(cropped, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def sound(rate, seconds, channels):
    """Tones that swell, other ones in each channel; together they are too loud here and there."""
    t = numpy.arange(int(rate * seconds)) / rate
    tone = lambda: sum(
        0.15 * numpy.sin(2 * numpy.pi * f * t + f) * (1 + numpy.sin(9 * t + f))
        for f in draw.uniform(100, 6000, 8)
    )
    return numpy.stack([tone() for _ in range(channels)], -1)


def middle(samples, most):
    start = max(0, (len(samples) - most) // 2)
    kept = samples[start : start + most]
    return numpy.pad(kept, (0, most - len(kept))), len(kept)


def record(path, most):
    """The mean of the channels at the rate, clipped, its middle."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    mono = samples.mean(1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE, quality="HQ")
    kept, length = middle(mono.clip(-1, 1), most)
    return numpy.clip(numpy.round(kept * 32768), -32768, 32767).astype("<i2"), length


HERE.mkdir(exist_ok=True)
for name, size, settings in [
    ("wide.jpg", (90, 60), {"quality": 90}),
    ("tall.png", (50, 77), {}),
    ("small.png", (20, 24), {}),
    ("square.webp", (64, 64), {"lossless": True}),
]:
    picture(*size).save(HERE / name, **settings)
    image = Image.open(HERE / name).convert("RGB")
    for style in (original, benchmark):
        planes = style(image).transpose(2, 0, 1)
        (HERE / f"{name}.{style.__name__}").write_bytes(planes.tobytes())

lengths = {}
for name, rate, seconds, channels in [
    ("stereo.wav", 44100, 0.35, 2),
    ("short.flac", 22050, 0.15, 1),
    ("same.wav", 16000, 0.31, 1),
    ("stereo.mp3", 48000, 0.36, 2),
]:
    soundfile.write(HERE / name, sound(rate, seconds, channels), rate)
    for part, most in (("train", STORED), ("holdout", SAMPLES)):
        samples, lengths[f"{name}.{part}"] = record(HERE / name, most)
        (HERE / f"{name}.{part}").write_bytes(samples.tobytes())
(HERE / "lengths.json").write_text(json.dumps(lengths, indent=1) + "\n")
