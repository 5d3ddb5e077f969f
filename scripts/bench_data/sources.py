"""Makes the files that both pipelines read, in the cache layout: real media, seeded.

Pictures are PNG of 720 x 540 and JPEG of 1024 x 768, clips H.264 of 640 x 360 for 5 s at 30 frames a
second and about 1.2 Mb/s, sounds 16-bit WAV of 44.1 kHz for 8 s.
"""

import json
import pathlib
import subprocess

import cv2
import numpy as np
import soundfile
from PIL import Image

COUNTS = {"image": 200, "video": 40, "audio": 120}  # per class
EXTENSIONS = {"video": "mp4", "audio": "wav"}
SEED = 20260314


def textured(rng, height, width):
    """A picture with detail at every scale, as photographs have: its PNG is about 600 kB."""
    picture = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        cells = rng.normal(size=(height * 2**octave // 512 + 2, width * 2**octave // 512 + 2, 3))
        scaled = cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        picture += scaled * 120 / 2 ** (octave * 0.8)
    return np.clip(picture + 128 + rng.normal(size=picture.shape) * 2, 0, 255).astype(np.uint8)


def image(path, rng, index):
    if index % 2:
        Image.fromarray(textured(rng, 768, 1024)).save(path.with_suffix(".jpg"), quality=90)
    else:
        Image.fromarray(textured(rng, 540, 720)).save(path.with_suffix(".png"))


def video(path, rng, ffmpeg):
    """A camera that pans over a texture."""
    ground = textured(rng, 520, 960)
    dx, dy = rng.integers(1, 3), rng.integers(0, 2)
    frames = b"".join(ground[dy * i:, dx * i:][:360, :640].tobytes() for i in range(150))
    command = [ffmpeg, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "640x360"]
    command += ["-r", "30", "-i", "-", "-c:v", "libx264", "-b:v", "1200k", "-g", "250", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, path.with_suffix(".mp4")], input=frames, check=True, timeout=120)


def audio(path, rng):
    time = np.arange(8 * 44_100) / 44_100
    notes = sum(
        np.sin(2 * np.pi * hertz * time + phase) * np.exp(-((time - start) ** 2))
        for hertz, phase, start in zip(rng.uniform(80, 9000, 24), rng.uniform(0, 6, 24), rng.uniform(0, 8, 24))
    )
    sound = 0.1 * notes + 0.01 * rng.normal(size=time.size)
    soundfile.write(path.with_suffix(".wav"), np.clip(sound, -1, 1), 44_100, "PCM_16")


def make(root, modality, ffmpeg):
    """Files of one modality below `root`; what is there already stays."""
    entries = []
    for label, media_type in enumerate(("real", "synthetic")):
        name = f"bench-{media_type}"
        folder = pathlib.Path(root) / "datasets" / modality / name
        entries.append({"name": name, "path": f"bench/{media_type}", "media_type": media_type})
        if (folder / ".download_complete").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(COUNTS[modality]):
            rng = np.random.default_rng([SEED, label, index])
            path = folder / f"{index:06}"
            if modality == "image":
                image(path, rng, index)
            elif modality == "video":
                video(path, rng, ffmpeg)
            else:
                audio(path, rng)
        (folder / ".download_complete").touch()
    config = pathlib.Path(root) / "gasbench_configs" / f"{modality}_datasets.yaml"
    config.parent.mkdir(exist_ok=True)
    # JSON is YAML.
    config.write_text(json.dumps({"datasets": entries}))
