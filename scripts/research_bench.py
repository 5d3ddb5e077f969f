"""Measures the research itself where the truth is known; `make research-bench` runs it.

Verdicts: the true improvement and the share of keeps that do not help, of each rule, at equal time on
the device. Certificates: how often the interval that is stated holds the truth. Optimiser: the true
improvement of a model of the scores as a multiple of the playbook's. All with the decisions, the
history and the verdicts of the daemon, over the same seeds, and with intervals of two standard errors.
"""

import json
import os
import pathlib
import subprocess
import sys

from report import row, tell

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
DAEMON = TARGET / "release" / "dfr-daemon"
SEEDS = os.environ.get("SEEDS", "300")
# Noise at which a rule has a goal.
JUDGED = (0.004, 0.008)


def simulate(told, *flags):
    print(f"{told} ...", flush=True)
    command = [DAEMON, "simulate", "--json", "--seeds", SEEDS, *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=3600)
    if done.returncode:
        sys.exit(f"{told} ended with {done.returncode}")
    return json.loads(done.stdout)


def verdicts():
    for plan in simulate("verdicts", "--certify", "5"):
        where = f"{plan['landscape']}, noise {plan['noise']}, {plan['verdict']}"
        gained, share, rule = plan["gained"], plan["false_share"], plan["verdict"]
        yield row(f"true improvement: {where}", gained["mean"], "score")
        yield row(f"  ± two standard errors: {where}", 2 * gained["error"], "score")
        yield row(f"false keeps: {where}", share["mean"], "share")
        yield row(f"  ± two standard errors: {where}", 2 * share["error"], "share")
        judged = plan["noise"] in JUDGED
        if rule != "strict":
            least = {"yield": 1.1, "confirmed": 0.97}[rule]
            ratio = plan["gained_ratio"]["mean"]
            yield row(f"improvement / strict: {where}", ratio, "ratio", (">=", least) if judged else None)
        if rule == "confirmed":
            most = ("<=", 0.75) if judged else None
            yield row(f"false keeps / strict: {where}", plan["false_ratio"], "ratio", most)
        if plan["covered"]:
            covered = plan["covered"]["mean"]
            yield row(f"certified totals that hold: {where}", covered, "share", (">=", 0.95))


def optimiser():
    flags = ("--landscape", "knobs", "--verdict", "strict", "--runs", "50", "--noise", "0.004,0.008")
    for plan in simulate("optimiser", *flags):
        where = f"knobs, noise {plan['noise']}, {plan['ideas']}"
        ratio, goal = plan["gained_ratio"], (">=", 1.3) if plan["ideas"] == "optimiser" else None
        yield row(f"true improvement: {where}", plan["gained"]["mean"], "score")
        if plan["ideas"] != "playbook":
            yield row(f"improvement / playbook: {where}", ratio["mean"], "ratio", goal)
            yield row(f"  ± two standard errors: {where}", 2 * ratio["error"], "ratio")


if __name__ == "__main__":
    tell("research", [*verdicts(), *optimiser()], TARGET / "reports")
