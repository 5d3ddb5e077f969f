"""Wrote resize_vectors.json: what PIL and OpenCV make of small pictures of noise.

python3 -m venv v && v/bin/pip install pillow==12.1.1 opencv-python-headless==5.0.0.93 numpy
v/bin/python resize_vectors.py > resize_vectors.json
"""

import json

import cv2
import numpy as np
from PIL import Image

SIZES = [(13, 9, 5, 4), (5, 4, 13, 9), (20, 12, 6, 6), (9, 21, 7, 7), (11, 11, 4, 4), (10, 5, 4, 4)]


def crop(pixels, height, width):
    h, w = pixels.shape[:2]
    scale = min(h / height, w / width)
    crop_h, crop_w = min(round(scale * height), h), min(round(scale * width), w)
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    return pixels[top : top + crop_h, left : left + crop_w]


cases = []
for w, h, to_w, to_h in SIZES:
    pixels = np.random.default_rng(w * h).integers(0, 256, (h, w, 3), dtype=np.uint8)
    squashed = np.asarray(Image.fromarray(pixels).resize((to_w, to_h), Image.BILINEAR))
    cropped = cv2.resize(crop(pixels, to_h, to_w), (to_w, to_h), interpolation=cv2.INTER_LINEAR)
    case = {"from": [w, h], "to": [to_w, to_h], "pixels": pixels, "original": squashed}
    case["benchmark"] = cropped
    cases.append({k: v.ravel().tolist() if k not in ("from", "to") else v for k, v in case.items()})
print(json.dumps(cases, separators=(",", ":")))
