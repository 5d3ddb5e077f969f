"""Makes the reference files beside it: media, and what PIL, libsndfile and soxr make of them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy pillow soundfile soxr
    /tmp/venv/bin/python trainer/media/codecs/tests/data/make.py ~/.cache/dfr/ffmpeg-7.0.2/ffmpeg
"""

import io
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
import soundfile
import soxr
from PIL import Image

FFMPEG = sys.argv[1]
HERE = pathlib.Path(__file__).parent
DRAWS = np.random.default_rng(1)


def scene(width, height, noise=6.0):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 7 + y / 13), np.cos(x / 11 - y / 5), np.sin(x * y / 900)]
    rgb = 127 + 100 * np.stack(waves, -1) + DRAWS.normal(0, noise, (height, width, 3))
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(name, colour, channels):
    """PIL writes no 16-bit colour."""
    rows = DRAWS.integers(0, 65536, (9, 11 * channels)).astype(">u2")
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", 11, 9, 16, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def gif_part(name, transparent):
    """A first frame that covers the middle of its screen."""
    palette = bytes([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    control = b"" if transparent is None else bytes([0x21, 0xF9, 4, 1, 0, 0, transparent, 0])
    frame = b"," + struct.pack("<4H", 1, 1, 2, 2) + b"\0"
    bits = sum(code << 3 * place for place, code in enumerate([4, 1, 2, 4, 3, 1, 5]))
    lzw = bits.to_bytes(3, "little")
    head = b"GIF89a" + struct.pack("<2H", 5, 4) + bytes([0x81, 2, 0]) + palette
    (HERE / name).write_bytes(head + control + frame + bytes([2, len(lzw)]) + lzw + b"\0;")


def pictures():
    picture = scene(97, 61)
    alpha = Image.fromarray(DRAWS.integers(0, 256, (61, 97)).astype(np.uint8))
    for subsampling, name in enumerate(["444", "422", "420"]):
        picture.save(HERE / f"{name}.jpg", quality=88, subsampling=subsampling)
    picture.save(HERE / "progressive.jpg", quality=80, progressive=True)
    picture.save(HERE / "restarts.jpg", quality=80, restart_marker_rows=1)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(HERE / "turned.jpg", quality=60, exif=turned)
    picture.convert("L").save(HERE / "grey.jpg", quality=80)
    picture.convert("CMYK").save(HERE / "inks.jpg", quality=80)
    scene(3, 2).save(HERE / "tiny.jpg")
    picture.save(HERE / "colour.png")
    picture.convert("L").save(HERE / "grey.png")
    picture.convert("1").save(HERE / "bits.png")
    picture.quantize(13).save(HERE / "palette.png")
    picture.quantize(16).save(HERE / "palette_clear.png", transparency=3)
    with_alpha = picture.copy()
    with_alpha.putalpha(alpha)
    with_alpha.save(HERE / "alpha.png")
    with_alpha.crop((0, 0, 20, 20)).convert("LA").save(HERE / "grey_alpha.png")
    png16("grey16.png", 0, 1)
    png16("colour16.png", 2, 3)
    png16("alpha16.png", 6, 4)
    with_alpha.save(HERE / "lossless.webp", lossless=True, exact=True)
    picture.save(HERE / "lossy.webp", quality=80)
    picture.quantize(40).save(HERE / "palette.gif")
    gif_part("part.gif", None)
    gif_part("part_clear.gif", 3)
    frames = [scene(31, 17).quantize(16) for _ in range(3)]
    frames[0].save(HERE / "frames.gif", save_all=True, append_images=frames[1:])
    still = [scene(31, 17) for _ in range(2)]
    still[0].save(HERE / "frames.webp", save_all=True, append_images=still[1:], lossless=True)
    picture.crop((0, 0, 33, 21)).save(HERE / "colour.bmp")
    picture.crop((0, 0, 33, 21)).convert("L").save(HERE / "grey.bmp")
    picture.quantize(16).save(HERE / "palette.bmp")
    small = picture.crop((0, 0, 33, 21))
    small.save(HERE / "plain.tiff")
    small.convert("L").save(HERE / "grey.tiff")
    small.convert("1").save(HERE / "bits.tiff")
    small.convert("CMYK").save(HERE / "inks.tiff")
    small.save(HERE / "lzw.tiff", compression="tiff_lzw")
    small.save(HERE / "deflate.tiff", compression="tiff_adobe_deflate")


def waves(rate, seconds, channels=1):
    time = np.arange(round(rate * seconds)) / rate
    tones = [0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * (900 + 500 * time) * time)]
    tones += [0.4 * np.cos(2 * np.pi * (200 + 90 * c) * time) for c in range(1, channels)]
    return np.stack(tones, -1) + DRAWS.normal(0, 0.01, (len(time), channels))


def sounds():
    for kind in ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]:
        soundfile.write(HERE / f"{kind.lower()}.wav", waves(8000, 0.2), 8000, subtype=kind)
    soundfile.write(HERE / "six.wav", waves(8000, 0.1, 6), 8000, subtype="PCM_16")
    soundfile.write(HERE / "stereo.flac", waves(22050, 0.2, 2), 22050, subtype="PCM_16")
    soundfile.write(HERE / "24.flac", waves(8000, 0.3), 8000, subtype="PCM_24")
    soundfile.write(HERE / "16.aiff", waves(8000, 0.3), 8000, subtype="PCM_16")
    soundfile.write(HERE / "stereo.mp3", waves(44100, 0.2, 2), 44100)
    soundfile.write(HERE / "mono.mp3", waves(16000, 2.2), 16000)
    soundfile.write(HERE / "vorbis.ogg", waves(22050, 0.3), 22050, format="OGG", subtype="VORBIS")
    soundfile.write(HERE / "opus.ogg", waves(48000, 0.3), 48000, format="OGG", subtype="OPUS")


def run_ffmpeg(*arguments):
    command = [FFMPEG, "-v", "error", "-y", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def mp4():
    """What libsndfile does not read."""
    for codec in ["aac", "alac"]:
        run_ffmpeg("-i", HERE / "pcm_16.wav", "-c:a", codec, "-bitexact", HERE / f"{codec}.m4a")
    decoded = run_ffmpeg("-i", HERE / "aac.m4a", "-f", "f32le", "-")
    (HERE / "aac.m4a.f32").write_bytes(decoded)


def rates():
    """Noise over the whole band, as soxr's HQ brings it to 16 kHz."""
    for rate in [8000, 11025, 22050, 44100, 48000]:
        noise = DRAWS.normal(0, 0.2, round(rate * 0.06) + 7).astype("<f4")
        (HERE / f"noise_{rate}.f32").write_bytes(noise.tobytes())
        resampled = soxr.resample(noise, rate, 16000, "HQ").astype("<f4")
        (HERE / f"noise_{rate}_16000.f32").write_bytes(resampled.tobytes())


def saved_again(path):
    """What gasbench keeps of a file that it fetched."""
    again = io.BytesIO()
    with Image.open(path) as file:
        file.save(again, file.format)
    return Image.open(again).convert("RGB")


def references():
    """Checksums where equality is wanted, samples where closeness is."""
    table = {}
    for path in sorted(HERE.iterdir()):
        if path.suffix in {".jpg", ".png", ".webp", ".gif", ".bmp", ".tiff"}:
            with Image.open(path) as file:
                rgb = file.convert("RGB")
                if file.mode == "I;16":
                    # PIL would clip at 255.
                    rgb = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8)).convert("RGB")
            entry = {"width": rgb.width, "height": rgb.height}
            if path.suffix == ".jpg" and path.name != "inks.jpg":
                entry["saved_again"] = zlib.crc32(saved_again(path).tobytes())
            if path.name == "lossy.webp":
                (HERE / "lossy.webp.rgb").write_bytes(rgb.tobytes())
            table[path.name] = entry | {"crc32": zlib.crc32(rgb.tobytes())}
        elif path.suffix in {".wav", ".flac", ".aiff", ".mp3"} or path.name == "vorbis.ogg":
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            mean = samples.astype(np.float64).mean(-1).astype("<f4").tobytes()
            entry = {"rate": rate, "channels": samples.shape[1], "frames": samples.shape[0]}
            if path.name in {"stereo.mp3", "vorbis.ogg"}:
                (HERE / f"{path.name}.f32").write_bytes(mean)
            table[path.name] = entry | {"crc32": zlib.crc32(mean)}
    (HERE / "references.json").write_text(json.dumps(table, indent=1) + "\n")

pictures()
sounds()
mp4()
rates()
references()
