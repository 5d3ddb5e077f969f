#!/usr/bin/env python3
"""Steps of training beside Python's: the same network, libtorch, threads and precision, by turns.

  bench_train.py [NAME…]    [default: the small model of every family, and r3d-10]

For each model two rows: `equal` settings (goal: at least 0.97 of Python's speed), and `default` ones, ours
against those of dfresearch (goal: at least 1.2). Also the time from the start of the program to its first
step done (goal: at most a third of Python's), records in a second, and the most memory that each process had.
Speeds are ratios of medians of 30 steps that take turns.
Exit code 1 if a goal is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "parity"))

from models import FAMILIES, of_family  # noqa: E402

FAMILY_OF = {name: family for family in FAMILIES for name in of_family(family)}
STEPS, WARM_UP = 30, 5
GOALS = {"equal": 0.97, "default": 1.2}
START_GOAL = 1 / 3
TIMEOUT_S = 600


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    small = [name for name in FAMILY_OF if name.endswith("-tiny") or name == "r3d-10"]
    parser.add_argument("names", nargs="*", default=small, metavar="NAME")
    names = parser.parse_args().names
    print(f"{'model':22} {'settings':9} {'ours ms':>8} {'theirs ms':>9} {'ratio':>6} {'start':>6} {'records/s':>9} "
          f"{'MiB':>6} {'theirs':>6}  holds", flush=True)
    rows = []
    for name in names:
        for settings in GOALS:
            rows.append(row := measure(name, settings))
            print(f"{name:22} {settings:9} {row['ours_ms']:8.2f} {row['theirs_ms']:9.2f} "
                  f"{row['ratio']:6.2f} {row['start_ratio']:6.2f} {row['records_per_s']:9.1f} {row['ours_mib']:6.0f} "
                  f"{row['theirs_mib']:6.0f}  {'yes' if row['holds'] else 'NO'}", flush=True)
    path = ROOT / "target" / "reports" / "bench_train.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=1))
    print(f"report: {path}")
    sys.exit(0 if all(row["holds"] for row in rows) else 1)


def measure(name, settings):
    family = FAMILY_OF[name]
    shape = of_family(family)[name].shape
    ours = Stepper([program(), name, settings, ",".join(map(str, shape))])
    theirs = Stepper([sys.executable, Path(__file__).with_name("theirs.py"), family, name, settings])
    steppers = (ours, theirs)
    for _ in range(WARM_UP):
        for stepper in steppers:
            stepper.step()
    times = [[stepper.step() for stepper in steppers] for _ in range(STEPS)]
    ours_mib, theirs_mib = (stepper.end() for stepper in steppers)
    ours_ms, theirs_ms = (statistics.median(column) for column in zip(*times))
    ratio, start_ratio = theirs_ms / ours_ms, ours.start_s / theirs.start_s
    return {"model": name, "settings": settings, "ours_ms": ours_ms, "theirs_ms": theirs_ms, "ratio": ratio,
            "start_ratio": start_ratio, "records_per_s": 1000 * shape[0] / ours_ms, "ours_mib": ours_mib,
            "theirs_mib": theirs_mib, "holds": ratio >= GOALS[settings] and start_ratio <= START_GOAL}


def program():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target.resolve() / "release" / "examples" / "train_bench"


class Stepper:
    """A program that makes a step for every line; started and timed to the end of its first one."""

    def __init__(self, command):
        # Threads that wait for the others' turn must not spin.
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        began = time.perf_counter()
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"error: {command[0]} did not start")
        self.step()
        self.start_s = time.perf_counter() - began

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        """Ends it, and gives the most memory that it had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak_kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        self.process.stdin.close()
        self.process.wait(TIMEOUT_S)
        return int(peak_kib) / 1024


if __name__ == "__main__":
    main()
