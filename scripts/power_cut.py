"""Cuts the power of a real writer on a real file system, and counts what it had acknowledged and lost.

An ext4 file system in a file is mounted over a loop device; a program writes to it with the daemon's
own ledger and repository, and tells through a pipe what is safe. EXT4_IOC_SHUTDOWN without flushing
the log makes the file system forget everything that was not synced, as a power cut does. Then it is
mounted again and looked at. A careless writer is the control: if it loses nothing, this is no test.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading

import report

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 96 << 20
GIT = ["git", "-c", "user.name=human", "-c", "user.email=human@localhost", "-c", "safe.directory=*"]


# Where tools for file systems are, on a path for people or not.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Refused(Exception):
    """This machine cannot do it."""


def run(*argv, **options):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120, **options).stdout


@contextlib.contextmanager
def mounted(image, place):
    try:
        run("mount", "-o", "loop", str(image), str(place))
    except (subprocess.CalledProcessError, FileNotFoundError) as problem:
        said = (getattr(problem, "stderr", None) or str(problem)).strip()
        raise Refused(f"no loop device can be mounted here: {said}") from problem
    try:
        yield
    finally:
        run("umount", str(place))


def shut_down(place):
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    except OSError as problem:
        raise Refused(f"EXT4_IOC_SHUTDOWN: {problem.strerror}") from problem
    finally:
        os.close(descriptor)


def fresh(image, place):
    """A file system with a repository of one commit, all of it on the disk."""
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    run("mkfs.ext4", "-q", "-F", str(image))
    with mounted(image, place):
        repo = place / "repo"
        (repo / "src").mkdir(parents=True)
        (repo / "src" / "a.rs").write_text("// base\n")
        run(*GIT, "init", "--quiet", "--initial-branch=main", str(repo))
        run(*GIT, "-C", str(repo), "add", ".")
        run(*GIT, "-C", str(repo), "commit", "--quiet", "-m", "base")
        os.sync()


def write_and_cut(writer, mode, place, seconds):
    """The lines that the writer told before its file system was gone."""
    child = subprocess.Popen(
        [writer, "write", mode, str(place / "state"), str(place / "repo")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    told, begun = [], threading.Event()

    def listen():
        for line in child.stdout:
            told.append(line.split())
            begun.set()
        begun.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        begun.wait(30)
        threading.Event().wait(seconds)
        # The kernel lives on: of an fsync that is under way it may say that all went well once the journal
        # has been given up. Nobody hears that of a machine without power.
        heard = len(told)
        shut_down(place)
    finally:
        child.kill()
        child.wait()
        listener.join()
    return told[:heard]


def look(writer, place):
    """What is there after the cut, as (facts or None, pages sound, repository sound)."""
    checked = subprocess.run([writer, "check", str(place / "state"), str(place / "repo")],
                             capture_output=True, text=True, timeout=120)
    facts = json.loads(checked.stdout) if checked.returncode == 0 else None
    try:
        ledger = sqlite3.connect(place / "state" / "dfr.db")
        sound = ledger.execute("pragma quick_check").fetchone() == ("ok",)
        ledger.close()
    except sqlite3.Error:
        sound = False
    fsck = subprocess.run([*GIT, "-C", str(place / "repo"), "fsck", "--strict", "--no-dangling"],
                          capture_output=True, timeout=120)
    return facts, sound, fsck.returncode == 0


def cut(writer, mode, seconds, directory):
    """One cut: entries and commits acknowledged, entries and commits lost, what broke."""
    image, place = directory / "image", directory / "place"
    place.mkdir(exist_ok=True)
    fresh(image, place)
    with mounted(image, place):
        told = write_and_cut(writer, mode, place, seconds)
    if ["begun"] not in told:
        return dict.fromkeys(("entries", "commits", "lost_entries", "lost_commits", "pages", "repository"), 0)
    with mounted(image, place):
        facts, sound, repository = look(writer, place)
    entries = sum(1 for line in told if line[0] == "entry")
    commits = [line[2] for line in told if line[0] == "commit"]
    there = facts or {"entries": 0, "candidates": [], "tip": None}
    lost = [c for c in commits if c not in there["candidates"]]
    # The newest may be one that its writer did not live to tell.
    moved = not commits or there["tip"] in (commits[-1], *there["candidates"][len(commits):])
    return {"entries": entries, "commits": len(commits),
            "lost_entries": max(0, entries - there["entries"]),
            "lost_commits": max(len(lost), 0 if moved else 1),
            "pages": int(not sound), "repository": int(not repository)}


def rows(writer, cuts, seed):
    random_ = random.Random(seed)
    total, control = [], []
    with tempfile.TemporaryDirectory() as directory:
        # An image of its own for each: a loop device may not have let go of the one before.
        def place():
            return pathlib.Path(tempfile.mkdtemp(dir=directory))

        for _ in range(cuts):
            total.append(cut(writer, "full", random_.uniform(0.1, 2.0), place()))
        for _ in range(max(3, cuts // 5)):
            control.append(cut(writer, "careless", random_.uniform(0.1, 2.0), place()))

    def add(name):
        return sum(one[name] for one in total)

    lossy = sum(1 for one in control if one["lost_entries"] + one["lost_commits"] + one["repository"] > 0)
    return [
        report.row("power cuts", len(total), "cuts", (">=", cuts)),
        report.row("acknowledged entries", add("entries"), "entries", (">=", 1)),
        report.row("acknowledged commits", add("commits"), "commits", (">=", 1)),
        report.row("acknowledged entries lost", add("lost_entries"), "entries", ("<=", 0)),
        report.row("acknowledged commits lost", add("lost_commits"), "commits", ("<=", 0)),
        report.row("ledgers that fail quick_check", add("pages"), "ledgers", ("<=", 0)),
        report.row("repositories that fail fsck", add("repository"), "repos", ("<=", 0)),
        report.row("careless control: cuts", len(control), "cuts"),
        report.row("careless control: cuts with loss (else the harness is broken)", lossy, "cuts", (">=", 1)),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--writer", required=True)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise Refused("needs root")
        told = rows(str(pathlib.Path(arguments.writer).resolve()), arguments.cuts, arguments.seed)
    except Refused as reason:
        told = [report.row("power cuts", None, "cuts", why=str(reason))]
    report.tell("power_cut", told)


if __name__ == "__main__":
    sys.exit(main())
