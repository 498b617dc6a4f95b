"""How well scores separate one class of a data set from its other classes.

The images of the class are "good", those of the other classes are "bad". The model is one of all
classes, or a run on images of the class alone (``--dataset`` then names the data set with the
other classes). Held-out images are validation images of the good class, of the run's own data set.

For plain −log p̂(x) and for each figure of a verdict: the area under the ROC curve with its 95 %
interval, how much larger it is than that of plain −log p̂(x) (DeLong et al. 1988), and the share of
bad images that is found at each false-alarm rate α. There each score has a p-value of its own: its
place among the held-out images.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tests.benchmarks import verdicts
from vae_core.basics.blocks import join
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.runs.own_data import dataset_of
from vae_core.scoring.calibration import Calibration, Measured
from vae_core.scoring.detection import SCORES, atypicality
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.groups import DECIDING, RAW
from vae_core.scoring.roc import Area, Gain, Rate, Values, area, gain
from vae_core.scoring.typicality import Reference
from vae_core.wording.detection import SCORE_NAMES

_IMAGES = 500
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Group:
    """Images of one class, or of several.

    Attributes:
        scores: each of :data:`SCORES`, (N,); higher looks bad.
        p_values: a p-value by each of these scores alone, (N,).
    """

    scores: Mapping[str, Values]
    p_values: Mapping[str, Values]

    def found(self, score: str, false_alarms: float) -> Rate:
        """Count the images that a score calls unlike the good ones, at a false-alarm rate."""
        p_values = self.p_values[score]
        return Rate(int((p_values <= false_alarms + _ROUNDING).sum()), len(p_values))


def group_of(calibration: Calibration, images: Measured) -> Group:
    """Compare images with held-out images."""
    table, p_values = images.table, calibration.p_values(images)
    plain_figures = Reference(calibration.held_out.table)
    alone = dict(zip(FIGURES, plain_figures.tails(table).T.numpy(), strict=True))
    log_px = table[:, list(FIGURES).index(RAW)]
    below = (calibration.held_out.log_px <= log_px[:, None]).sum(1)
    plain = ((1 + below) / (calibration.images + 1)).numpy()
    by_score = {**alone, "typicality": alone[RAW], RAW: plain, DECIDING: p_values.numpy()}
    scores = atypicality(calibration, table, p_values)
    return Group(scores, {name: by_score[name] for name in SCORES})


def compared(good: Group, bad: Group) -> dict[str, dict[str, Any]]:
    """Compute the figures of each score, to be printed."""
    return {
        name: {
            "auroc": _interval(area(good.scores[name], bad.scores[name])),
            "gain": _interval(
                gain((good.scores[name], bad.scores[name]), (good.scores[RAW], bad.scores[RAW]))
            ),
            "found": [_interval(bad.found(name, rate)) for rate in verdicts.RATES],
            "called": [_interval(good.found(name, rate)) for rate in verdicts.RATES],
        }
        for name in SCORES
    }


def _interval(figure: Area | Gain | Rate) -> tuple[float, float, float]:
    return figure.value, *figure.between


def main(arguments: Sequence[str] = ()) -> dict[str, Any]:
    parser = verdicts.arguments(__doc__, _IMAGES)
    parser.add_argument("--good", required=True, help="name of the good class")
    parser.add_argument("--dataset", help="data set of the classes; usually that of the run")
    given = parser.parse_args(arguments)
    run, model = verdicts.opened(given.model)
    own = dataset_of(run)
    data = load_dataset(given.dataset) if given.dataset else own
    classes = data.info.classes
    if given.good not in classes:
        parser.error(f"there is no class {given.good!r}; there are {', '.join(classes)}")
    if data.info.image_shape != own.info.image_shape:
        parser.error("the images of --dataset have another shape than those of the run")
    label = classes.index(given.good)
    calibration = verdicts.calibrated(
        run, model, _like_good(own, given.good), given.calibration,
        given.importance_samples, given.seed,
    )  # fmt: skip
    groups, seconds = {}, []
    for name, images in _classes(data, given.images, label, given.seed).items():
        found = verdicts.measured(name, calibration, model, images, given.seed)
        groups[name] = found.images
        seconds += [found.seconds]
    good = group_of(calibration, groups[given.good])
    bad = {n: group_of(calibration, t) for n, t in groups.items() if n != given.good}
    every_bad = join([found for name, found in groups.items() if name != given.good])
    result = {
        "model": str(given.model),
        "dataset": data.name,
        "good": given.good,
        "good_images": len(groups[given.good].table),
        "bad_images": len(every_bad.table),
        "held_out": calibration.images,
        "importance_samples": given.importance_samples,
        "seed": given.seed,
        "seconds_an_image": sum(seconds) / len(seconds),
        "rates": verdicts.RATES,
        "scores": compared(good, group_of(calibration, every_bad)),
        "auroc_by_class": {
            name: {score: area(good.scores[score], each.scores[score]).value for score in SCORES}
            for name, each in bad.items()
        },
    }
    print(json.dumps(result)) if given.json else _print(result)
    return result


def _like_good(own: Dataset, good: str) -> Dataset:
    """Return the images of the good class in the run's data set; all, if it has no such class."""
    classes = own.info.classes
    return verdicts.of_class(own, classes.index(good)) if good in classes else own


def _classes(data: Dataset, count: int, good: int, seed: int) -> dict[str, Tensor]:
    """Choose test images: ``count`` of the good class, and as many of all others together."""
    images, labels = data.split("test")
    others = max(1, len(data.info.classes) - 1)
    found = {}
    for index, name in enumerate(data.info.classes):
        inside = labels == index
        wanted = count if index == good else math.ceil(count / others)
        found[name] = verdicts.chosen(images[inside], labels[inside], wanted, seed)[0]
    return {name: images for name, images in found.items() if len(images)}


def _print(result: Mapping[str, Any]) -> None:
    scores, by_class = result["scores"], result["auroc_by_class"]
    about = {k: v for k, v in result.items() if not isinstance(v, (dict, tuple))}
    print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in about.items()))
    rates = "".join(f"{f'found, α = {rate:.0%}':>24}" for rate in result["rates"])
    print(f"{'score':26}{'AUROC':>22}{'gain':>24}{rates}")
    for name, row in scores.items():
        found = "".join(f"{_percent(each):>24}" for each in row["found"])
        print(f"{SCORE_NAMES[name]:26}{_three(row['auroc']):>22}{_three(row['gain']):>24}{found}")
    print(f"\nAUROC by class\n{'class':16}" + "".join(f"{SCORE_NAMES[n]:>26}" for n in scores))
    for name, areas in by_class.items():
        print(f"{name:16}" + "".join(f"{areas[score]:26.3f}" for score in scores))


def _three(row: Sequence[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*row)


def _percent(row: Sequence[float]) -> str:
    return "{:.1%} ({:.1%} to {:.1%})".format(*row)
