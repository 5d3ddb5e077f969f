#!/usr/bin/env python3
"""Makes sure that an ffmpeg with libx264 exists: the one on PATH, else a pinned static build.

The static build comes out of the PyPI package imageio-ffmpeg and is kept per user, outside the
clone, so that every clone shares it. Needs python3 (3.9 or newer) with pip, nothing else.
"""

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE_VERSION = "0.6.0"
FFMPEG_VERSION = "7.0.2"
PLATFORM = "manylinux2014_x86_64"
WHEEL_SHA256 = "c7e46fcec401dd990405049d2e2f475e2b397779df2519b544b8aab515195282"
MEMBER = f"imageio_ffmpeg/binaries/ffmpeg-linux-x86_64-v{FFMPEG_VERSION}"
PIP_TIMEOUT_S = 600
PROBE_TIMEOUT_S = 30


def main():
    on_path = shutil.which("ffmpeg")
    if on_path and has_libx264(on_path):
        print(f"ffmpeg: {on_path}")
        return
    target = cache_home() / "dfr" / f"ffmpeg-{FFMPEG_VERSION}" / "ffmpeg"
    if not os.access(target, os.X_OK):
        require_supported_machine()
        install(target)
    print(f"ffmpeg: {target}")


def cache_home():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def has_libx264(ffmpeg):
    command = [ffmpeg, "-hide_banner", "-encoders"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return " libx264 " in listing.stdout


def require_supported_machine():
    if sys.platform != "linux" or platform.machine() != "x86_64":
        sys.exit(
            f"no pinned ffmpeg for {sys.platform} {platform.machine()}: "
            "put one with libx264 on PATH (Debian: apt-get install ffmpeg)"
        )


def install(target):
    """Downloads, checks and unpacks; the binary appears under its name complete or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            wheel = download(Path(scratch))
            check(wheel)
            binary = Path(scratch) / "ffmpeg"
            with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member:
                with open(binary, "wb") as out:
                    shutil.copyfileobj(member, out)
                    out.flush()
                    os.fsync(out.fileno())
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            if not has_libx264(str(binary)):
                sys.exit("the pinned ffmpeg does not run here: apt-get install ffmpeg")
            os.replace(binary, target)
    except OSError as error:
        sys.exit(f"cannot install ffmpeg at {target}: {error}")


def download(folder):
    requirement = f"imageio-ffmpeg=={PACKAGE_VERSION}"
    print(f"fetching {requirement} (28 MiB) with pip")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--platform", PLATFORM]
    command += ["--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        sys.exit(f"pip download {requirement} took more than {PIP_TIMEOUT_S} s: try again")
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        sys.exit(
            f"pip could not download {requirement}:\n{done.stderr.strip()}\n"
            "the other way: apt-get install ffmpeg"
        )
    return wheels[0]


def check(wheel):
    digest = hashlib.sha256()
    with open(wheel, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if digest.hexdigest() != WHEEL_SHA256:
        sys.exit(f"{wheel.name}: sha256 is {digest.hexdigest()}, pinned is {WHEEL_SHA256}")


if __name__ == "__main__":
    main()
