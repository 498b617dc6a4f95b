"""200 sets of importance weights, from harmless to degenerate, and k̂ of each by ArviZ.

``pareto_k_by_arviz.json`` holds what ``arviz.psislw`` of ArviZ 0.23.4 gives for them. ArviZ brings
Matplotlib, h5py and xarray along, so the tests keep its answers instead of installing it. To make
the file again, run ``python -m tests.vae_core.inference.weight_sets`` where ArviZ is installed.

The random numbers are those of :class:`random.Random`, which are the same in every Python.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import NormalDist

BY_ARVIZ = Path(__file__).with_name("pareto_k_by_arviz.json")
_SIZES = (21, 95, 200, 1000, 2500)
_NORMAL = NormalDist()

_KINDS: dict[str, Callable[[Random, int], float]] = {
    **{
        f"Pareto {k}": lambda r, _i, k=k: -k * math.log(r.random())
        for k in (0.1, 0.5, 0.7, 1, 2, 5)
    },
    **{
        f"log-normal {s}": lambda r, _i, s=s: s * _NORMAL.inv_cdf(r.random())
        for s in (0.01, 0.5, 1, 3, 10, 40, 150, 1000)
    },
    **{f"{step} apart": lambda _r, i, step=step: step * i for step in (0.1, 1, 8, 15, 100, 170)},
    **{
        f"{step} apart, with noise": lambda r, i, step=step: step * (i + r.random())
        for step in (0.5, 30, 140)
    },
    "bounded": lambda r, _i: math.log(0.1 + r.random()),
    "exponential": lambda r, _i: math.log(-math.log(r.random())),
    **{
        f"{few} above the others": lambda r, i, few=few: r.random() + (900 if i < few else 0)
        for few in (1, 2, 4, 5, 6, 12, 19)
    },
    **{
        f"two groups, {gap} apart": lambda r, i, gap=gap: r.random() + gap * (i % 2)
        for gap in (1, 20, 400, 800)
    },
    "a digest of squares": lambda r, _i: -((30 * _NORMAL.inv_cdf(r.random())) ** 2),
    "far below zero": lambda r, _i: -1e6 + 5 * r.random(),
    "far above zero": lambda r, _i: 1e5 + 300 * r.random(),
    "a wide uniform": lambda r, _i: 2000 * r.random(),
}


def weight_sets() -> Iterator[tuple[str, list[float]]]:
    """Yield a name and log weights (K,), in nats, for 200 sets."""
    for seed, (kind, size) in enumerate((kind, size) for kind in _KINDS for size in _SIZES):
        random = Random(seed)
        yield f"{kind}, K = {size}", [_KINDS[kind](random, i) for i in range(size)]


if __name__ == "__main__":
    import numpy as np
    from arviz import psislw  # pyright: ignore[reportMissingImports]

    found = {name: float(psislw(np.array(log_w, float))[1]) for name, log_w in weight_sets()}
    BY_ARVIZ.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
    print(f"{len(found)} sets, {sum(map(math.isinf, found.values()))} of them infinite")
