#!/usr/bin/env python3
"""Puts a Python environment with the reference libraries at third_party/python.

The environment lies in a per-user cache, ${XDG_CACHE_HOME:-~/.cache}/dfr, under a name that follows
from python-requirements.txt; the clone only links to it. About 3 GB to fetch, 7 GB on disk. Nothing
but comparisons needs it. Needs python3 >= 3.11 with venv and pip.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "python-requirements.txt"
LINK = HERE.parent / "third_party" / "python"
FREE_BYTES = 9_000_000_000
TIMEOUT_S = 3600


class SetupError(Exception):
    """Something a person must change; the message says what."""


def main():
    if sys.version_info < (3, 11):
        raise SetupError(f"{sys.executable} is Python {sys.version.split()[0]} and 3.11 is needed: "
                         "name another one, make setup-python PYTHON=python3.12")
    entry = cache_root() / f"python-{fingerprint()}"
    if not is_complete(entry):
        with lock(entry):
            if not is_complete(entry):
                fill(entry)
    link(entry)
    print(f"python: {entry}")


def fingerprint():
    """Of what is installed: another Python's environment is another one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}\n"
    return hashlib.sha256(version.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:12]


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(base) / "dfr"
    root.mkdir(parents=True, exist_ok=True)
    return root


def is_complete(entry):
    """An environment cannot be moved, so a file written last says that it is whole."""
    return (entry / "complete").exists()


@contextlib.contextmanager
def lock(entry):
    """Lets one process at a time fill an entry; the others wait and then find it filled."""
    with open(entry.with_name(entry.name + ".lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fill(entry):
    free = shutil.disk_usage(entry.parent).free
    if free < FREE_BYTES:
        raise SetupError(f"{entry.parent} has {free / 1e9:.1f} GB free and {FREE_BYTES / 1e9:.1f} GB are needed: "
                         "make room, or set XDG_CACHE_HOME to a larger disk")
    shutil.rmtree(entry, ignore_errors=True)
    print("setup-python: fetching torch and the reference libraries (about 3 GB)", flush=True)
    run(sys.executable, "-m", "venv", entry)
    run(entry / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet",
        "--no-compile", "--only-binary=:all:", "--requirement", REQUIREMENTS)
    (entry / "complete").touch()


def run(*command):
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"pip took longer than {TIMEOUT_S} s: try again with a better connection")
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command[:4])} failed (above): check the network and the free disk space "
                         "(on Debian, venv is the package python3-venv) and try again")


def link(entry):
    LINK.parent.mkdir(exist_ok=True)
    partial = LINK.with_name(LINK.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(entry)
    partial.rename(LINK)


if __name__ == "__main__":
    try:
        main()
    except (SetupError, OSError) as error:
        sys.exit(f"error: {error}")
