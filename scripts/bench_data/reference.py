"""The pipeline of the Python libraries: files to training batches, by a torch DataLoader of 4 workers.

Behaves as dfresearch's loaders do: PIL, OpenCV, decord, soundfile and librosa, with its sizes, batches
and augmentations. Prints one line of JSON: samples and seconds of every epoch, CPU seconds and peak
resident memory of all processes.

  reference.py MODALITY ROOT LEVEL EPOCHS
"""

import json
import pathlib
import random
import sys
import time

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

SIZE = 224
FRAMES = 16
RATE_HZ, SAMPLES = 16_000, 96_000
BATCH = {"image": 32, "video": 4, "audio": 16}
WORKERS = 4
TRAIN_SHARE = 0.8


def jpeg(picture, quality):
    _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


def blur(picture, sigma):
    kernel = int(6 * sigma + 1) | 1
    return cv2.GaussianBlur(picture, (kernel, kernel), sigma)


def noise(picture, sigma):
    return np.clip(picture + np.random.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def shift(picture, most):
    return np.clip(picture + np.random.uniform(-most, most, 3), 0, 255).astype(np.uint8)


def contrast(picture, factor):
    mean = picture.mean(axis=(0, 1), keepdims=True)
    return np.clip((picture - mean) * factor + mean, 0, 255).astype(np.uint8)


LEVELS = {
    1: [(jpeg, random.randint, 70, 95), (blur, random.uniform, 0.3, 0.8)],
    2: [
        (jpeg, random.randint, 40, 75),
        (blur, random.uniform, 0.5, 1.5),
        (noise, random.uniform, 3, 10),
        (shift, random.uniform, 5, 15),
    ],
    3: [
        (jpeg, random.randint, 15, 45),
        (blur, random.uniform, 1.0, 3.0),
        (noise, random.uniform, 8, 25),
        (shift, random.uniform, 10, 30),
        (contrast, random.uniform, 0.5, 1.5),
    ],
}


def augment(picture, level):
    """One or two of the level's distortions, in random order."""
    if level == 0:
        return picture
    chosen = random.sample(LEVELS[level], random.randint(1, 2))
    for distort, draw, low, high in chosen:
        picture = distort(picture, draw(low, high))
    return picture


def resize(picture):
    return np.asarray(Image.fromarray(picture).resize((SIZE, SIZE), Image.BILINEAR))


def read_image(path, level):
    picture = augment(resize(np.asarray(Image.open(path).convert("RGB"))), level)
    if level and random.random() < 0.5:
        picture = picture[:, ::-1]
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def decoded(path):
    try:
        import decord
    except ImportError:
        import av

        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        indices = np.linspace(0, len(frames) - 1, FRAMES).astype(int)
        return [frames[index] for index in indices]
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0))
    return reader.get_batch(np.linspace(0, len(reader) - 1, FRAMES).astype(int)).asnumpy()


def read_video(path, level):
    frames = [augment(resize(frame), level) for frame in decoded(path)]
    return torch.from_numpy(np.ascontiguousarray(np.stack(frames).transpose(0, 3, 1, 2)))


def read_audio(path, _level):
    import librosa
    import soundfile

    sound, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    sound = sound.mean(axis=1)
    if rate_hz != RATE_HZ:
        sound = librosa.resample(sound, orig_sr=rate_hz, target_sr=RATE_HZ)
    if len(sound) > SAMPLES:
        start = random.randint(0, len(sound) - SAMPLES)
        sound = sound[start : start + SAMPLES]
    sound = np.pad(sound, (0, SAMPLES - len(sound)))
    return torch.from_numpy(np.clip(sound, -1, 1))


READ = {"image": read_image, "video": read_video, "audio": read_audio}


class Files(Dataset):
    def __init__(self, modality, root, level):
        found = []
        for label, media_type in enumerate(("real", "synthetic")):
            folder = pathlib.Path(root) / "datasets" / modality / f"bench-{media_type}"
            files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
            found += [(path, label) for path in files[: int(len(files) * TRAIN_SHARE)]]
        self.files, self.read, self.level = found, READ[modality], level

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path, label = self.files[index]
        return self.read(path, self.level), label


def status(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main():
    modality, root, level, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    data = Files(modality, root, level)
    loader = DataLoader(
        data, batch_size=BATCH[modality], shuffle=True, num_workers=WORKERS, drop_last=True, persistent_workers=True
    )
    told, pids, used = [], {"self"}, cpu_seconds("self")
    for _ in range(epochs):
        start, samples = time.monotonic(), 0
        for batch, labels in loader:
            samples += len(labels)
            if float(batch.float().std()) == 0.0:
                sys.exit("a constant batch: the files were not decoded")
        seconds = time.monotonic() - start
        pids |= {str(worker.pid) for worker in loader._iterator._workers}
        total = sum(cpu_seconds(pid) for pid in pids)
        told.append({"samples": samples, "seconds": seconds, "cpu_s": total - used})
        used = total
    peak_mb = sum(status(pid, "VmHWM") for pid in pids) / 1024
    fair_mb = sum(int(line.split()[1]) for pid in pids for line in open(f"/proc/{pid}/smaps_rollup") if line.startswith("Pss:")) / 1024
    print(json.dumps({"epochs": told, "peak_mb": peak_mb, "pss_mb": fair_mb}))


if __name__ == "__main__":
    main()
