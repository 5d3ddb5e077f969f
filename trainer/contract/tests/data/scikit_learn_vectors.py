"""Prints the reference vectors of scikit_learn_vectors.json. Needs scikit-learn and numpy."""

import json
import math

import numpy as np
from sklearn.metrics import brier_score_loss, matthews_corrcoef

SEED = 7


def case(name, labels, p):
    labels, p = np.asarray(labels, int), np.asarray(p, float)
    predictions = (p >= 0.5).astype(int)
    one_class = len(set(labels)) < 2 or len(set(predictions)) < 2
    mcc = 0.0 if one_class else float(matthews_corrcoef(labels, predictions))
    brier = float(brier_score_loss(labels, p, labels=[0, 1]))
    mcc_norm, brier_norm = max((mcc + 1) / 2, 1e-10), max(1 - brier, 1e-10)
    return {
        "name": name,
        "labels": labels.tolist(),
        "p": p.tolist(),
        "accuracy": float((labels == predictions).mean()),
        "mcc": mcc,
        "brier": brier,
        "sn34_score": math.sqrt(mcc_norm**1.2 * brier_norm**1.8),
    }


def main():
    rng = np.random.default_rng(SEED)
    cases = [
        case("perfect", [0, 1, 1, 0], [0, 1, 1, 0]),
        case("inverted", [0, 1, 1, 0], [1, 0, 0, 1]),
        case("constant", [0, 1, 1, 0], [0.5] * 4),
        case("only real labels", [0, 0, 0], [0.1, 0.6, 0.5]),
        case("only synthetic labels", [1, 1, 1], [0.1, 0.6, 0.5]),
        case("ties", [0, 1, 0, 1], [0.5, 0.5, 0.4999999, 0.5000001]),
    ]
    for n, shift in ((17, 0.0), (100, 0.2), (999, 0.1)):
        labels = rng.integers(0, 2, n)
        p = np.clip(rng.random(n) * 0.8 + shift * labels, 0, 1)
        cases.append(case(f"random {n}", labels, np.round(p, 6)))
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
