"""Wrote pixel_vectors.tsv: hashes of what OpenCV's JPEG and GaussianBlur make of computed pictures.

python3 -m venv v && v/bin/pip install opencv-python-headless==4.13.0.92 numpy
v/bin/python pixel_vectors.py > pixel_vectors.tsv

Columns: what is done, height, width, strength, FNV-1a (64 bits) of the planes red, green, blue.
"""

import cv2
import numpy as np

SIZES = [(224, 224), (16, 16), (37, 29), (50, 67), (225, 223), (9, 7), (8, 40)]
QUALITIES = [1, 5, 15, 30, 45, 49, 50, 62, 75, 90, 95, 100]
SIGMAS = [0.3, 0.5, 0.8, 1.0, 1.23, 1.5, 2.0, 2.77, 3.0]


def picture(height, width):
    """Waves of different lengths by channel, under noise that grows from left to right."""
    channel, y, x = np.mgrid[:3, :height, :width].astype(np.uint32)
    wave = (x * 5 + y * 3 * (channel + 1)) % 511
    wave = np.where(wave > 255, 510 - wave, wave).astype(np.int64)
    noise = (x * 73856093) ^ (y * 19349663) ^ (channel * 83492791)
    noise = (noise * np.uint32(2654435761)) >> 24
    mixed = wave + (noise.astype(np.int64) - 128) * x // width
    return np.clip(mixed, 0, 255).astype(np.uint8).transpose(1, 2, 0)


def jpeg(pixels, quality):
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def blur(pixels, sigma):
    size = int(6 * sigma + 1) | 1
    return cv2.GaussianBlur(pixels, (size, size), sigma)


def fnv1a(pixels):
    value = 0xCBF29CE484222325
    for byte in pixels.transpose(2, 0, 1).tobytes():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


for height, width in SIZES:
    pixels = picture(height, width)
    print("none", height, width, 0, fnv1a(pixels), sep="\t")
    for quality in QUALITIES:
        print("jpeg", height, width, quality, fnv1a(jpeg(pixels, quality)), sep="\t")
    for sigma in SIGMAS:
        print("blur", height, width, sigma, fnv1a(blur(pixels, sigma)), sep="\t")
