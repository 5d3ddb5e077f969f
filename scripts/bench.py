"""Measures what a night costs beside training; `make bench` runs it.

Rebuild: the time of the task's own build command after one lab file was changed, in the slot that
the daemon uses. Daemon cost: the time between two experiments of a session with a stand-in trainer
that is not spent in the proposer, the build or a run, once with an empty ledger and once with
10,000 experiments in it. Sealing: candidates of the real trainer, sealed and unsealed by turns.
"""

import fcntl
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

from report import row, tell

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "bench"
DAEMON = TARGET / "release" / "dfr-daemon"
CACHE = pathlib.Path(os.environ.get("DFRESEARCH_CACHE", "~/.cache/dfresearch")).expanduser()
OUTSIDE = ("propose", "build", "start", "train", "predict")
EXPERIMENTS = 20
FULL_LEDGER = 10_000
RECORDS = 200
# A keep is measured on the holdout part too; which candidate is kept is left to chance here.
EVERY_EXPERIMENT = ("build", "start", "train", "predict", "score", "record")
LONG_S = 600
# Training time of the turns: what is done once beside it is not to look like a slower training.
TURN_S = 30
BY_TURNS = [(), ("--unsealed",), ("--unsealed",), (), (), ("--unsealed",)]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], timeout=3600, **options)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done


def git(repo, *command):
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    return run("git", "-C", repo, *identity, *command, stdout=subprocess.PIPE, text=True).stdout


def entries(state, tag):
    """(experiment, at_ms, entry) of a session, oldest first."""
    with sqlite3.connect(f"file:{state}/dfr.db?mode=ro", uri=True) as db:
        found = db.execute(
            "select experiment, at_ms, body from entry join session on session.id = session_id"
            " where tag = ? order by entry.id",
            (tag,),
        )
        return [(n, at_ms, json.loads(body)) for n, at_ms, body in found]


def real_repository():
    """A clone, and what the real trainer needs to be run from it."""
    repo = WORK / "clone"
    shutil.rmtree(repo, ignore_errors=True)
    shutil.rmtree(WORK / "state", ignore_errors=True)
    run("git", "clone", "--quiet", ROOT, repo)
    (repo / "third_party").symlink_to(ROOT / "third_party")
    run(TARGET / "release" / "dfr", "prepare", "--sample", "--modality", "video")
    return repo


def candidate(repo, tag, *more):
    """The first candidate of a session of the real trainer, which changes one lab file: the seconds
    of its phases, and its steps per second."""
    base = git(repo, "rev-parse", "HEAD").strip()
    flags = ["--task", "video-sample", "--proposer", "playbook", "--max-experiments", 2]
    flags += ["--budget-s", TURN_S, "--base", base, "--tag", tag, *more]
    run(DAEMON, *flags, "--repo", repo, "--state-dir", WORK / "state")
    told = {e["entry"]: e for n, _, e in entries(WORK / "state", tag) if n == 1}
    claims = dict(line.split(":", 1) for line in told["ran"]["claims"].splitlines() if ":" in line)
    speed = float(claims["num_steps"]) / float(claims["training_seconds"])
    return told["settled"]["phase_seconds"], speed


def sealing(repo):
    """What a sandbox adds to an experiment of a turn's length, training that was lost included, seconds;
    and the speed of training against that without one."""
    seconds, speeds = {(): [], ("--unsealed",): []}, {(): [], ("--unsealed",): []}
    for turn, flags in enumerate(BY_TURNS):
        phases, speed = candidate(repo, f"turn-{turn}", *flags)
        seconds[flags].append(sum(phases.get(phase, 0) for phase in EVERY_EXPERIMENT))
        speeds[flags].append(speed)
        told = ", ".join(f"{phase} {phases[phase]:.2f} s" for phase in EVERY_EXPERIMENT if phase in phases)
        print(f"turn {turn}, {'unsealed' if flags else 'sealed'}: {told}, {speed:.1f} steps/s", flush=True)
    with_seal, without = (statistics.median(values) for values in seconds.values())
    # Whatever else the machine does only ever slows a training: the fastest tells what it can do.
    fast, free = (max(values) for values in speeds.values())
    lost = max(0, TURN_S * (1 - fast / free))
    return with_seal - without + lost, fast / free


def rebuild_seconds(repo):
    """Median seconds of the task's build command after a one-line change of one lab file."""
    root = git(repo, "rev-list", "--max-parents=0", "HEAD").split()[-1]
    slot = CACHE / "build" / root[:12] / "slot-0"
    lab = slot / "tree" / "trainer/lab/src/models/r3d.rs"
    command = ["cargo", "build", "--release", "--locked", "--offline", "--quiet"]
    command += ["--target-dir", slot / "target", "--package", "dfr-trainer"]
    libtorch = (ROOT / "third_party/libtorch/torch").resolve()
    environment = {**os.environ, "LIBTORCH": str(libtorch)}
    environment.pop("CARGO_TARGET_DIR", None)
    original, took = lab.read_text(), []
    with open(slot / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            for turn in range(5):
                lab.write_text(f"{original}\nconst _: i64 = {turn};\n")
                start = time.monotonic()
                run(*command, cwd=slot / "tree", env=environment)
                took.append(time.monotonic() - start)
        finally:
            lab.write_text(original)
    return statistics.median(took)


TASK = """
name = "bench"
modality = "video"
preset = "fake"
input = {{ frames = 1, height = 1, width = 1, preprocessing = "original", source = "downloaded", splits = {{ train = 80, validation = 10, holdout = 10 }} }}
edit = {{ paths = ["lab/*"], recipe = "lab/recipe.txt" }}
budget = {{ train_s = 60, build_s = 60, smoke_s = 60, predict_s = 60 }}
[commands]
build = ["{fake}", "build", "{{tree}}/lab/recipe.txt"]
smoke = ["{fake}", "smoke", "{{tree}}/lab/recipe.txt"]
train = ["{fake}", "train", "{{tree}}/lab/recipe.txt", "{{run}}"]
predict = ["{fake}", "predict", "{{tree}}/lab/recipe.txt", "{{out}}", "{records}"]
[sandbox]
readable = ["{fake}"]
[score]
labels = "{{pack}}/vault/validation.labels.u8"
objective = "sn34_score"
columns = ["sn34_score", "accuracy"]
"""


def fake_session():
    """A repository, a task, data and a playbook for the stand-in trainer."""
    home = WORK / "fake"
    shutil.rmtree(home, ignore_errors=True)
    repo, cache = home / "repo", home / "cache"
    (repo / "lab").mkdir(parents=True)
    qualities = " | ".join(f"0.{n:03}" for n in range(600, 990, 5))
    (repo / "lab/recipe.txt").write_text(f"mode = ok\nquality = 0.600 // knob: {qualities}\n")
    git(repo, "init", "--quiet", "--initial-branch=main")
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "-m", "recipe")
    vault = cache / "packs/video/1x1x1-original-80-10-10/pack/vault"
    vault.mkdir(parents=True)
    (vault / "validation.labels.u8").write_bytes(bytes(i % 2 for i in range(RECORDS)))
    (vault.parent.parent / "current").symlink_to("pack")
    task = home / "task.toml"
    task.write_text(TASK.format(fake=TARGET / "release" / "fake-trainer", records=RECORDS))
    return home


def daemon_costs(home, most, *flags):
    """Seconds per experiment outside proposer, build and run, for the last experiments."""
    state = home / "state"
    command = [DAEMON, "--task", home / "task.toml", "--proposer", "playbook", "--tag", "bench"]
    command += ["--repo", home / "repo", "--state-dir", state, "--max-experiments", most, *flags]
    environment = {**os.environ, "DFRESEARCH_CACHE": str(home / "cache"), "RUST_LOG": "warn"}
    run(*command, env=environment)
    opened, outside = [], []
    for _, at_ms, entry in entries(state, "bench"):
        if entry["entry"] == "opened":
            opened.append(at_ms / 1000)
        elif entry["entry"] == "settled":
            outside.append(sum(entry["phase_seconds"].get(phase, 0) for phase in OUTSIDE))
    opened, outside = opened[-EXPERIMENTS:], outside[-EXPERIMENTS:]
    return [b - a - spent for a, b, spent in zip(opened, opened[1:], outside)]


def fill_ledger(home, experiments):
    """Repeats the last experiment's entries, discarded, until the ledger holds so many."""
    recorded = entries(home / "state", "bench")
    last = max(n for n, _, _ in recorded)
    template = [(at, e) for n, at, e in recorded if n == last]
    with sqlite3.connect(home / "state/dfr.db") as db:
        (session,) = db.execute("select id from session where tag = 'bench'").fetchone()
        for n in range(last + 1, experiments):
            for at_ms, entry in template:
                if entry["entry"] == "decided":
                    entry = {**entry, "verdict": "discard"}
                if entry["entry"] == "proposed":
                    entry = {**entry, "description": f"filler {n}"}
                db.execute(
                    "insert into entry (session_id, experiment, at_ms, kind, body) values (?,?,?,?,?)",
                    (session, n, at_ms, entry["entry"], json.dumps(entry)),
                )


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    print("daemon cost, empty ledger")
    home = fake_session()
    empty = statistics.median(daemon_costs(home, EXPERIMENTS + 1))
    print(f"daemon cost, {FULL_LEDGER} experiments in the ledger")
    fill_ledger(home, FULL_LEDGER)
    full = statistics.median(daemon_costs(home, FULL_LEDGER + EXPERIMENTS + 1, "--resume"))
    print("the real trainer: start, rebuild, sealing")
    repo = real_repository()
    phases, _ = candidate(repo, "bench")
    rebuild = rebuild_seconds(repo)
    added, speed = sealing(repo)
    # As if all that was lost were lost for as long as it trains.
    long = 100 * (added + (LONG_S - TURN_S) * max(0, 1 - speed)) / LONG_S
    tell("bench", [
        row("rebuild after touching one lab file, median of 5", rebuild, "s", ("<=", 15)),
        row("daemon cost per experiment, empty ledger, median", empty, "s", ("<=", 0.25)),
        row(f"daemon cost with {FULL_LEDGER} experiments / empty ledger", full / empty, "ratio", ("<=", 2)),
        row("start of dfr-train to its first step", phases["start"], "s"),
        row("sealing adds to an experiment of the demo", added, "s", ("<=", 2)),
        row("training speed sealed / unsealed", speed, "ratio"),
        row(f"sealing adds to an experiment of {LONG_S} s", long, "%", ("<=", 3)),
    ], ROOT / "target/reports")


if __name__ == "__main__":
    main()
