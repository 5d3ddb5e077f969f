#!/usr/bin/env python3
"""Puts libtorch where the build looks for it: third_party/libtorch/torch/{lib,include}.

The files lie in a per-user cache, ${XDG_CACHE_HOME:-~/.cache}/dfr, and the clone only links to
them, so that a second clone fetches nothing.

  LIBTORCH=<dir>        use this libtorch (a directory with lib/ and include/); nothing is fetched
  DFR_TORCH_WHEEL=full  fetch the whole wheel with CUDA (5 GB on disk); the default where an NVIDIA
                        driver is loaded
  DFR_TORCH_WHEEL=cpu   fetch what a CPU needs (544 MB to fetch, 500 MB on disk); the default else

Needs python3 >= 3.9 with pip. torch 2.11.0 is the version that the tch 0.24.0 bindings are for.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

VERSION = "2.11.0"
LINK = Path(__file__).resolve().parent.parent / "third_party" / "libtorch"

# requirement -> sha256 of its wheel. libtorch_cpu.so itself needs libcudart and libcupti.
WHEELS = {
    f"torch=={VERSION}": "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
    "nvidia-cuda-runtime==13.0.96": "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    "nvidia-cuda-cupti==13.0.85": "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
}
# The wheels of another Python serve as well: only their C++ libraries are used.
WHEEL_TAGS = ["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"]
for _platform in ("manylinux_2_28", "manylinux_2_25", "manylinux_2_17", "manylinux2014"):
    WHEEL_TAGS += ["--platform", f"{_platform}_x86_64"]

CPU_LIBRARIES = {
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libc10.so",
    "torch/lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
}
# torch-sys links -ltorch whatever it finds; on a CPU that library holds nothing.
STAND_IN = ("torch/lib/libtorch.so", "/* GNU ld script: CPU-only stand-in */\n")

FREE_BYTES = {"cpu": 1_300_000_000, "full": 11_000_000_000}
PIP_TIMEOUT_S = 3600
OTHER_WAY = "or set LIBTORCH to a libtorch 2.11.0 that you already have"


class SetupError(Exception):
    """Something a person must change; the message says what."""


def main():
    given = given_libtorch()
    if given is not None:
        link(LINK, "torch", given)
        say(f"LIBTORCH is set: using {given}")
        return
    kind = wanted_kind()
    entry = cache_root() / f"libtorch-{VERSION}-{kind}"
    if not is_complete(entry):
        with lock(entry):
            if not is_complete(entry):
                fetch(kind, entry)
    link(LINK, None, entry)
    say(f"libtorch {VERSION} ({kind}): {entry}")


def given_libtorch():
    """The libtorch that LIBTORCH names; our own link (cargo sets it) does not count."""
    value = os.environ.get("LIBTORCH")
    if not value or os.path.abspath(value) == str(LINK / "torch"):
        return None
    path = Path(value).resolve()
    if not ((path / "lib" / "libtorch_cpu.so").exists() and (path / "include").is_dir()):
        raise SetupError(f"LIBTORCH={value} has no lib/libtorch_cpu.so and include/: "
                         "correct it, or unset it to have libtorch fetched")
    return path


def wanted_kind():
    asked = os.environ.get("DFR_TORCH_WHEEL")
    if asked in ("cpu", "full"):
        return asked
    if asked:
        raise SetupError(f"DFR_TORCH_WHEEL={asked}: it is cpu or full")
    return "full" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(base) / "dfr"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot create the cache {root} ({error}): set XDG_CACHE_HOME to a writable directory")
    return root


def is_complete(entry):
    """An entry is renamed into place as a whole, so that it is complete if it is there."""
    return (entry / "torch" / "lib" / "libtorch_cpu.so").exists()


@contextlib.contextmanager
def lock(entry):
    """Lets one process at a time fill an entry; the others wait and then find it filled."""
    with open(entry.with_name(entry.name + ".lock"), "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another setup is fetching libtorch; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fetch(kind, entry):
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise SetupError(f"no libtorch is fetched for {platform.system()} {platform.machine()}: "
                         "set LIBTORCH to a libtorch 2.11.0 for it")
    check_pip()
    check_room(kind, entry.parent)
    partial = entry.with_name(entry.name + ".partial")
    remove(partial)
    partial.mkdir()
    try:
        {"cpu": fill_cpu, "full": fill_full}[kind](partial)
        remove(entry)
        partial.rename(entry)
    except OSError as error:
        raise SetupError(f"cannot write {partial} ({error}): make room there, or set XDG_CACHE_HOME elsewhere, {OTHER_WAY}")
    finally:
        remove(partial)


def check_pip():
    probe = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, timeout=60)
    if probe.returncode != 0:
        raise SetupError(f"{sys.executable} has no pip: apt-get install python3-pip, {OTHER_WAY}")


def check_room(kind, directory):
    free = shutil.disk_usage(directory).free
    if free < FREE_BYTES[kind]:
        raise SetupError(f"{directory} has {free / 1e9:.1f} GB free and {FREE_BYTES[kind] / 1e9:.1f} GB are needed: "
                         f"make room, or set XDG_CACHE_HOME to a larger disk, {OTHER_WAY}")


def fill_cpu(into):
    wheels = into / "wheels"
    for requirement, sha256 in WHEELS.items():
        unpack_cpu(download(requirement, sha256, wheels), into)
        shutil.rmtree(wheels)
    name, text = STAND_IN
    (into / name).write_text(text)
    missing = [name for name in CPU_LIBRARIES if not (into / name).exists()]
    if missing:
        raise SetupError(f"the wheels lack {', '.join(missing)}: please report this")


def fill_full(into):
    """Everything that pip installs for torch; its own pins fix the versions of the rest."""
    requirement = f"torch=={VERSION}"
    wheels = into / "wheels"
    wheel = download(requirement, WHEELS[requirement], wheels)
    say("installing torch and its CUDA libraries (3 GB to fetch, 5 GB on disk)")
    pip(["install", "--quiet", "--no-compile", "--target", str(into), *WHEEL_TAGS, str(wheel)])
    shutil.rmtree(wheels)


def download(requirement, sha256, wheels):
    say(f"fetching {requirement}")
    pip(["download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(wheels), *WHEEL_TAGS, requirement])
    wheel = next(wheels.glob("*.whl"))
    found = sha256_of(wheel)
    if found != sha256:
        raise SetupError(f"{wheel.name} has sha256 {found} but {sha256} is expected: "
                         f"the package index gave another file; try again, {OTHER_WAY}")
    return wheel


def pip(arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(command, timeout=PIP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"pip took longer than {PIP_TIMEOUT_S} s: try again with a better connection, {OTHER_WAY}")
    if done.returncode != 0:
        raise SetupError(f"pip failed (above): check the network and the free disk space and try again, {OTHER_WAY}")


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def unpack_cpu(wheel, into):
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n in CPU_LIBRARIES or n.startswith("torch/include/")]
        archive.extractall(into, names)


def link(at, below, target):
    """Makes `at` (or `at/below`) a symbolic link to `target`, replacing only links of ours."""
    if at.is_symlink() and (below or os.readlink(at) != str(target)):
        at.unlink()
    if below:
        return link(at / below, None, target)
    if at.is_symlink():
        return
    if at.is_dir() and all(child.is_symlink() for child in at.iterdir()):
        remove(at)
    if at.exists():
        raise SetupError(f"{at} is in the way and was not made by this script: move it")
    at.parent.mkdir(parents=True, exist_ok=True)
    temporary = at.with_name(f".{at.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(at)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def say(message):
    print(f"setup: {message}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
