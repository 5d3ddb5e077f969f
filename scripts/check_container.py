"""Runs the steps of the container file and tells how many there are; a row with the reason where this
machine cannot. The work is deploy/check_container.sh's."""

import os
import pathlib
import re
import signal
import subprocess
import threading

import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECK = ROOT / "deploy" / "check_container.sh"
MEASURE = "steps of the container file that ran"
# Building the daemon in a root with nothing built yet, and what apt and mmdebstrap fetch.
LIMIT_S = 2 * 3600
# Its exit code where the machine lacks what it needs.
CANNOT = 3


def check():
    """Exit code, and what it said, which is shown as it comes."""
    process = subprocess.Popen(
        [CHECK], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    limit = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
    limit.start()
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    code = process.wait()
    limit.cancel()
    return code, lines


def main():
    code, lines = check()
    if code == CANNOT:
        why = lines[-1].strip().removeprefix("error: ")
        report.tell("container", [report.row(MEASURE, None, "", why=why)])
    steps = sum(bool(re.match(r"\d\d:\d\d:\d\d [A-Z]+ ", line)) for line in lines)
    report.tell(
        "container",
        [
            report.row(MEASURE, steps, "", (">=", 1)),
            report.row("checks of the image that failed", int(code != 0), "", ("<=", 0)),
        ],
    )


main()
