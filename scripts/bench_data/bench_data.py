"""Compares how fast files become training batches: here, and by the Python libraries that dfresearch
uses, on the same files and cores by turns; `make bench-data` runs it.

A first epoch is everything from files on: here sealing them into a pack and reading it once. Later
epochs read the pack; the Python pipeline decodes again. Python is measured with glibc's allocator as
it is and tuned, and compared with the faster of the two.
"""

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
import sources  # noqa: E402
from report import row, tell  # noqa: E402

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "bench-data"
DFR, FEED = TARGET / "release" / "dfr", TARGET / "release" / "examples" / "feed_bench"
TURNS = 3
EPOCHS = 4
TIMEOUT_S = 900
LEVELS = {"image": (0, 1, 2, 3), "video": (0, 1, 2, 3), "audio": (0,)}
FASTER = {"image": {0: 20, 1: 20, 2: 5, 3: 5}, "video": {0: 20, 1: 20, 2: 5, 3: 5}, "audio": {0: 8}}
TUNED = {
    "MALLOC_MMAP_THRESHOLD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_TOP_PAD_": "67108864",
}


def run(*command, **more):
    environment = {**os.environ, "DFRESEARCH_CACHE": str(WORK / "cache"), **more}
    done = subprocess.run(
        [str(part) for part in command], cwd=WORK, env=environment, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def python(modality, level, epochs, tuned):
    told = run(sys.executable, "-W", "ignore", HERE / "reference.py", modality, WORK / "cache", level, epochs, **tuned)
    return json.loads(told.splitlines()[-1])


def seal(modality):
    """A pack made anew: seconds and processor seconds."""
    for made in ("packs", "vault"):
        shutil.rmtree(WORK / "cache" / made, ignore_errors=True)
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    run(DFR, "seal", "--modality", modality)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, cpu_s


def feed(modality, level, epochs):
    pack = next((WORK / "cache" / "packs" / modality).iterdir()) / "current" / "train"
    return json.loads(run(FEED, pack, level, epochs).splitlines()[-1])


def rate(epochs):
    return sum(e["samples"] for e in epochs) / sum(e["seconds"] for e in epochs)


def cpu_ms(epochs):
    return 1000 * sum(e["cpu_s"] for e in epochs) / sum(e["samples"] for e in epochs)


def later(modality, level):
    """Rates, processor times and memory of later epochs by pipeline: medians over turns."""
    seen = {"python": [], "tuned": [], "here": []}
    for _ in range(TURNS):
        for name, tuned in (("python", {}), ("tuned", TUNED)):
            seen[name].append(python(modality, level, EPOCHS, tuned))
        seen["here"].append(feed(modality, level, 4 * EPOCHS))
    medians = {}
    for name, turns in seen.items():
        epochs = [turn["epochs"][1:] for turn in turns]
        medians[name] = {
            "rate": statistics.median(map(rate, epochs)),
            "cpu_ms": statistics.median(map(cpu_ms, epochs)),
            "mb": statistics.median(turn["peak_mb"] for turn in turns),
        }
        print(f"{modality} level {level}, {name}: " + ", ".join(f"{k} {v:.4g}" for k, v in medians[name].items()), flush=True)
    return medians


def first(modality):
    """Samples a second from files on, by pipeline: medians over turns. All that is sealed counts."""
    ours, theirs = [], []
    everything = 2 * sources.COUNTS[modality]
    for _ in range(TURNS):
        epoch = python(modality, 0, 1, {})["epochs"][0]
        theirs.append(epoch["samples"] / epoch["seconds"])
        seconds, _ = seal(modality)
        epoch = feed(modality, 0, 1)["epochs"][0]
        ours.append(everything / (seconds + epoch["seconds"]))
    print(f"{modality}, first epoch: here {ours}, python {theirs} samples/s", flush=True)
    return statistics.median(ours) / statistics.median(theirs)


def compare(modality, ffmpeg):
    print(f"making files: {modality}", flush=True)
    sources.make(WORK / "cache", modality, ffmpeg)
    rows = [row(f"{modality}: first epoch, times as many samples/s", first(modality), "x", (">=", 1.5))]
    for level in LEVELS[modality]:
        seen = later(modality, level)
        best = max(seen["python"]["rate"], seen["tuned"]["rate"])
        name = f"{modality} level {level}" if modality != "audio" else modality
        rows.append(row(f"{name}: samples/s, here", seen["here"]["rate"], "1/s"))
        rows.append(row(f"{name}: samples/s, python (the faster)", best, "1/s"))
        rows.append(row(f"{name}: later epochs", seen["here"]["rate"] / best, "x", (">=", FASTER[modality][level])))
        rows.append(row(f"{name}: processor time per sample, here", seen["here"]["cpu_ms"], "ms"))
        rows.append(row(f"{name}: processor time per sample, python", seen["tuned"]["cpu_ms"], "ms"))
        share = seen["here"]["mb"] / seen["python"]["mb"]
        rows.append(row(f"{name}: memory, share of python's", share, "x", ("<=", 0.25)))
    return rows


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    ffmpeg = os.environ.get("DFR_FFMPEG") or run(sys.executable, HERE.parent / "setup_ffmpeg.py").split()[-1]
    asked = sys.argv[1:] or list(LEVELS)
    tell("bench-data", [told for modality in asked for told in compare(modality, ffmpeg)], TARGET / "reports")


if __name__ == "__main__":
    main()
