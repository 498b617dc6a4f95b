"""Whether verdicts raise as many false alarms as they say, on fresh test images.

For each false-alarm rate α: the share of N test images with p ≤ α, overall and by class. With n
held-out images the number of such images is a draw from BetaBinomial(N, l, n + 1 − l), where
l = ⌊α (n + 1)⌋ (Vovk 2012, "Conditional validity of inductive conformal predictors"). The table has
its central 95 % interval, for all classes together and for each. A verdict promises the rate for
all together alone; strata (:mod:`vae_core.scoring.strata`) bring each class near it.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.benchmarks import verdicts
from vae_core.basics.text import printable
from vae_core.runs.own_data import dataset_of
from vae_core.scoring.roc import Rate

EVERYTHING = "all"
_IMAGES = 2000
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Row:
    """False alarms of one group of images at one rate.

    Attributes:
        group: name of a class, or "all".
        false_alarms: α.
        images: number of images in the group.
        called: images with p ≤ α.
        low, high: 95 % interval of the share that is called, for this calibration and group.
    """

    group: str
    false_alarms: float
    images: int
    called: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share that is called."""
        return self.called / self.images

    @property
    def is_inside(self) -> bool:
        """Whether the share is within the interval."""
        return self.low - _ROUNDING <= self.rate <= self.high + _ROUNDING


def interval(false_alarms: float, held_out: int, images: int) -> tuple[float, float]:
    """Return the central 95 % interval of the share of images that is called unlike the data.

    Args:
        false_alarms: α.
        held_out: n, the number of held-out images; with n + 1 < 1/α no image is called.
        images: N.
    """
    from scipy.stats import betabinom

    level = math.floor(false_alarms * (held_out + 1) + _ROUNDING)
    if level == 0:
        return 0.0, 0.0
    low, high = betabinom.ppf([0.025, 0.975], images, level, held_out + 1 - level)
    return float(low) / images, float(high) / images


def rows(p_values: Tensor, labels: Tensor, classes: Sequence[str], held_out: int) -> list[Row]:
    """Count the false alarms of images with p-values (N,) and labels (N,), −1 for none."""
    groups = {EVERYTHING: torch.ones_like(labels, dtype=torch.bool)}
    groups |= {name: labels == index for index, name in enumerate(classes)}
    found = []
    for name, inside in groups.items():
        of_group = p_values[inside]
        for rate in verdicts.RATES if len(of_group) else ():
            called = int((of_group <= rate + _ROUNDING).sum())
            bounds = interval(rate, held_out, len(of_group))
            found.append(Row(name, rate, len(of_group), called, *bounds))
    return found


def main(arguments: Sequence[str] = ()) -> list[Row]:
    given = verdicts.arguments(__doc__, _IMAGES).parse_args(arguments)
    run, model = verdicts.opened(given.model)
    data, samples = dataset_of(run), given.importance_samples
    calibration = verdicts.stored_calibration(run, given.calibration, samples)
    if calibration is None:
        calibration = verdicts.calibrated(run, model, data, given.calibration, samples, given.seed)
    images, labels = verdicts.chosen(*data.split("test"), given.images, given.seed)
    found = verdicts.measured("test images", calibration, model, images, given.seed)
    p_values = calibration.p_values(found.images)
    table = rows(p_values, labels, data.info.classes, calibration.images)
    about = {
        "model": str(given.model),
        "dataset": data.name,
        "images": len(images),
        "held_out": calibration.images,
        "importance_samples": samples,
        "seed": given.seed,
        "seconds_an_image": found.seconds,
    }
    if given.json:
        shares = [dataclasses.asdict(row) | {"inside": row.is_inside} for row in table]
        print(json.dumps(about | {"rows": shares, "p_values": p_values.tolist()}))
    else:
        _print(about, table)
    return table


def _print(about: dict[str, object], table: Sequence[Row]) -> None:
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.items()))
    print(f"{'images':16} {'N':>6}  " + "  ".join(f"{f'α = {a:.0%}':24}" for a in verdicts.RATES))
    for group in dict.fromkeys(row.group for row in table):
        of_group = [row for row in table if row.group == group]
        cells = (
            f"{row.rate:6.1%} in {row.low:.1%} to {row.high:.1%}{'' if row.is_inside else ' (!)'}"
            for row in of_group
        )
        start = f"{printable(group, 16):16} {of_group[0].images:6}  "
        print(start + "  ".join(f"{cell:24}" for cell in cells))
    together = Rate(table[0].called, table[0].images)
    low, high = together.between
    print(f"At 1 %, the share called is {low:.1%} to {high:.1%} (Wilson, 95 %).")
