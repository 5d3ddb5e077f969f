"""Tells figures one way: a table last on the terminal, and target/reports/<name>.json."""

import json
import pathlib
import sys


def row(measure, value, unit, goal=None, why=None):
    """`goal` is ("<=", number) or (">=", number); None is a figure without a goal."""
    holds = None
    if goal is not None and value is not None:
        holds = value <= goal[1] if goal[0] == "<=" else value >= goal[1]
    told = {"measure": measure, "value": value, "unit": unit, "holds": holds}
    told["goal"] = None if goal is None else f"{goal[0]} {goal[1]:g}"
    if value is None:
        told["why"] = why
    return told


def tell(name, rows, directory="target/reports"):
    """Prints and writes the rows; ends the program with 1 when one does not hold."""
    path = pathlib.Path(directory) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
    width = max(len(r["measure"]) for r in rows)
    print(f"\n{'measure':<{width}}  {'value':>10}  {'unit':<8}  {'goal':<8}  holds")
    for r in rows:
        value = "-" if r["value"] is None else f"{r['value']:.3g}"
        holds = {True: "yes", False: "NO", None: r.get("why") or "-"}[r["holds"]]
        print(f"{r['measure']:<{width}}  {value:>10}  {r['unit']:<8}  {r['goal'] or '-':<8}  {holds}")
    sys.exit(1 if any(r["holds"] is False for r in rows) else 0)
