"""The reports of example images that a published model brings along (``examples.safetensors``).

With them the page Score images shows its examples at once. A file that is damaged, or that belongs
to other weights or to another calibration, counts as none: all of it can be computed again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import NotAPlainFile, kind_of
from vae_core.basics.progress import result_of
from vae_core.basics.tensor_files import TensorFileError, read_tensors
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import model_input
from vae_core.model.vae import VAE
from vae_core.runs.records import model_digest
from vae_core.runs.run import EXAMPLES_FILE, Run
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.examples import example_images, stand_in_images
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.judge import Judge
from vae_core.scoring.kept_report import KeptReport
from vae_core.scoring.report import Report, report_steps
from vae_core.scoring.score import Convergence, Score
from vae_core.settings.options import ScoreOptions

_FORMAT = 1
_SEED = 0
_MOST_BYTES = 4_000_000
_SCORE = (
    "log_px", "se", "ess", "pareto_k", "bits_per_dim", "elbo", "expected_log_likelihood", "kl",
    "refined",
)  # fmt: skip
_ERRORS = tuple(name for name, figure in FIGURES.items() if figure.se)
_COLUMNS = (
    *_SCORE,
    "code_bits",
    *(f"value {name}" for name in FIGURES),
    *(f"error {name}" for name in _ERRORS),
    *(f"measured {name}" for name in FIGURES),
)
_MOST_STOPS = 500
_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, OverflowError, RuntimeError, TensorFileError,
    NotAPlainFile,
)  # fmt: skip


@dataclass(frozen=True)
class KeptExamples:
    """Reports by the digest of an image's pixels.

    Attributes:
        protocol: of the calibration that they were made with.
        importance_samples: K of log p̂(x).
    """

    reports: Mapping[str, KeptReport]
    protocol: Mapping[str, Any]
    importance_samples: int

    def report(
        self, model: VAE, pixels: Tensor, judge: Judge, importance_samples: int, seed: int
    ) -> tuple[Report, Convergence, Tensor] | None:
        """Return the report of an image, its course, and the model input (1, C, H, W).

        Args:
            pixels: uint8, (C, H, W).

        Returns:
            None if no report of this image with this judge, K and seed is kept.
        """
        found, calibration = self.reports.get(_digest(pixels)), judge.calibration
        is_this = (importance_samples, seed) == (self.importance_samples, _SEED)
        if found is None or calibration is None or not is_this:
            return None
        if dict(calibration.protocol) != self.protocol:
            return None
        x = model_input(pixels, judge.binarisation, seed)
        image = judge.context(model, x, importance_samples, seed)
        report = found.restored(image, calibration, judge.false_alarms)
        return report, found.convergence, x


def write_examples(run: Run, model: VAE, data: Dataset, calibration: Calibration) -> None:
    """Score the examples of a run, those for people without its data set too, and keep them.

    Raises:
        OSError: if the file cannot be written.
    """
    test = data.split("test")[0]
    images = [pixels for _, pixels in example_images(test)]
    if data.name != "digits":  # which everybody has
        images += [pixels for _, pixels in stand_in_images(model, run.config.info)]
    judge = Judge.of(calibration, calibration.binarisation)
    samples = ScoreOptions().importance_samples
    x = torch.cat([model_input(each, judge.binarisation, _SEED) for each in images])
    found = result_of(report_steps(model, x, samples, judge, _SEED))
    kept = [KeptReport.of(*each) for each in found]
    about = {
        "format": _FORMAT,
        "model": model_digest(run.folder),
        "calibration": calibration.protocol,
        "importance_samples": samples,
        "columns": _COLUMNS,
        "images": [_digest(each) for each in images],
        "stops": kept[0].convergence.samples,
    }
    content = save(_tensors(kept), {"about": json.dumps(about)})
    replace_plain(run.folder / EXAMPLES_FILE, content)


def renew_examples(run: Run, model: VAE, data: Dataset, calibration: Calibration) -> None:
    """Score the examples again if the run keeps their reports, as after a new calibration.

    Raises:
        OSError: if the file cannot be written.
    """
    if kind_of(run.folder / EXAMPLES_FILE) == "a file":
        write_examples(run, model, data, calibration)


def examples_of(run: Run) -> KeptExamples | None:
    """Read the kept reports of a run; None if there are none that belong to its weights."""
    try:
        tensors, metadata = read_tensors(run.folder / EXAMPLES_FILE, _MOST_BYTES)
        about = json.loads(metadata["about"])
        current = {
            "format": _FORMAT,
            "model": model_digest(run.folder),
            "columns": list(_COLUMNS),
        }
        if any(about[name] != value for name, value in current.items()):
            return None
        samples, protocol = int(about["importance_samples"]), dict(about["calibration"])
        config = run.config.model
        classes = 0 if config.class_head == "none" else config.classes
        reports = _reports(tensors, about, samples, classes)
    except _DAMAGED:
        return None
    return KeptExamples(reports, protocol, samples)


def _digest(pixels: Tensor) -> str:
    return hashlib.sha256(pixels.cpu().numpy().tobytes()).hexdigest()


def _tensors(kept: Sequence[KeptReport]) -> dict[str, Tensor]:
    course = [(each.convergence.log_px, each.convergence.se) for each in kept]
    tensors = {
        "numbers": _table(_row(each) for each in kept),
        "course": torch.tensor(course, dtype=torch.float64),
    }
    heads = [each.head for each in kept if each.head is not None]
    if heads:
        tensors["head"] = _table(each.probabilities for each in heads)
        tensors["head_se"] = _table(each.se or () for each in heads)
        tensors["accuracy"] = torch.tensor([heads[0].accuracy], dtype=torch.float64)
    return tensors


def _table(rows: Iterable[Sequence[float]]) -> Tensor:
    return torch.tensor([list(row) for row in rows], dtype=torch.float64)


def _row(kept: KeptReport) -> list[float]:
    return [
        *(float(getattr(kept.score, name)) for name in _SCORE),
        kept.code_bits,
        *(kept.values[name] for name in FIGURES),
        *(kept.errors[name] for name in _ERRORS),
        *(kept.measured[name] for name in FIGURES),
    ]


def _reports(
    tensors: Mapping[str, Tensor], about: Mapping[str, Any], samples: int, classes: int
) -> dict[str, KeptReport]:
    """Make the reports from the tensors of a file.

    Args:
        classes: of the model's class head; 0 if it has none.

    Raises:
        LookupError, TypeError, ValueError, OverflowError, RuntimeError: if the tensors do not fit
            each other or the model.
    """
    images, stops = list(map(str, about["images"])), tuple(map(int, about["stops"]))
    rising = all(a < b for a, b in pairwise((0, *stops)))
    if not rising or not stops or stops[-1] != samples or len(stops) > _MOST_STOPS:
        raise ValueError("its numbers of samples are not those of an estimate")
    numbers, course = tensors["numbers"].double(), tensors["course"].double()
    shapes = (len(images), len(_COLUMNS)), (len(images), 2, len(stops))
    if (tuple(numbers.shape), tuple(course.shape)) != shapes:
        raise ValueError("its tensors do not fit each other")
    heads = _heads(tensors, len(images), classes)
    return {
        image: _kept(dict(zip(_COLUMNS, row, strict=True)), head, Convergence(stops, *way), samples)
        for image, row, head, way in zip(
            images,
            numbers.tolist(),
            heads,
            [tuple(map(tuple, each)) for each in course.tolist()],
            strict=True,
        )
    }


def _heads(
    tensors: Mapping[str, Tensor], count: int, classes: int
) -> Sequence[ClassProbabilities | None]:
    if not classes:
        return [None] * count
    chances, errors = tensors["head"].double(), tensors["head_se"].double()
    accuracy = float(tensors["accuracy"].double())
    shapes = {tuple(chances.shape), tuple(errors.shape)}
    are_shares = bool(((chances >= 0) & (chances <= 1)).all()) and 0 <= accuracy <= 1
    if shapes != {(count, classes)} or not are_shares:
        raise ValueError("its classes do not fit the images or the model")
    pairs = zip(chances.tolist(), errors.tolist(), strict=True)
    return [ClassProbabilities(p, accuracy, se) for p, se in pairs]


def _kept(
    row: Mapping[str, float], head: ClassProbabilities | None, course: Convergence, samples: int
) -> KeptReport:
    def named(kind: str, names: Iterable[str]) -> dict[str, float]:
        return {name: row[f"{kind} {name}"] for name in names}

    score = {name: row[name] for name in _SCORE if name != "refined"}
    about: dict[str, Any] = {"importance_samples": samples, "refined": bool(row["refined"])}
    return KeptReport(
        Score(**score, **about),
        row["code_bits"],
        named("value", FIGURES),
        named("error", _ERRORS),
        named("measured", FIGURES),
        head,
        course,
    )
