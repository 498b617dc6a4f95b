"""Convert a scored file to one row: the columns of JSON and CSV."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from vae_core.data.prepare import Prepared
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.files import FileScore
from vae_core.scoring.place import Place
from vae_core.scoring.report import Report
from vae_core.wording.verdict import report_sentence

_DECIMALS = 4  # for the figures of pixels
_WITH_OWN_COLUMNS = ("log_px", "latent_distance")  # columns of the score and the nearest images


def _of_place(get: Callable[[Place], float]) -> Callable[[Report], float | None]:
    return lambda report: None if report.score.place is None else get(report.score.place)


def _value(figure: str) -> Callable[[Report], float]:
    return lambda report: report.values[figure]


def _error(figure: str) -> Callable[[Report], float]:
    return lambda report: report.errors[figure]


def _value_columns() -> dict[str, Callable[[Report], float]]:
    """Columns of all other figures, each followed by its standard error, if it has one."""
    columns: dict[str, Callable[[Report], float]] = {}
    for name, figure in FIGURES.items():
        if name not in _WITH_OWN_COLUMNS:
            columns[f"{name}_{figure.unit}"] = _value(name)
            if figure.se is not None:
                columns[f"{name}_se_{figure.unit}"] = _error(name)
    return columns


def _percentile(figure: str) -> Callable[[Report], float | None]:
    return lambda report: report.judgement and report.judgement.percentiles[figure]


def _tail(figure: str) -> Callable[[Report], float | None]:
    return lambda report: report.judgement and report.judgement.tails[figure]


def as_row(result: FileScore) -> dict[str, Any]:
    """Return every figure of a file that could be read, or ``{file, ok: False, error}``.

    ``sha256`` is the digest of the file's bytes.

    log p̂(x), ``se``, ``elbo`` and its terms are in nats; other units are part of the names.
    ``log_px_as_held_out``, in nats too, uses the K of the held-out images. Without a calibration,
    the values that need one are None. With pixel maps, the row has :data:`PIXEL_COLUMNS` as well.
    """
    if result.report is None:
        return {"file": result.file, "ok": False, "error": result.error}
    report = result.report
    row: dict[str, Any] = {"file": result.file, "ok": True}
    if result.sha256:
        row["sha256"] = result.sha256
    if result.prepared is not None:
        row |= {name: get(result.prepared) for name, get in PREPARATION.items()}
    row |= {name: get(report) for name, get in COLUMNS.items()}
    if result.pixels is None or result.x is None:
        return row
    maps = (result.x, result.pixels.reconstruction, result.pixels.log_likelihood)
    return row | {n: _by_pixel(each) for n, each in zip(PIXEL_COLUMNS, maps, strict=True)}


def _by_pixel(values: Tensor) -> list[float]:
    return [round(value, _DECIMALS) for value in values.flatten().tolist()]


PREPARATION: Mapping[str, Callable[[Prepared], Any]] = {
    "preparation": lambda p: " ".join(f"{step.name}: {step.reason}" for step in p.steps),
    "shows_nothing": lambda p: p.inkless,
}
"""Columns about the preparation of a file, by their names in JSON and in a table."""
COLUMNS: Mapping[str, Callable[[Report], Any]] = {
    "log_px": lambda r: r.score.log_px,
    "se": lambda r: r.score.se,
    "proposal": lambda r: "refined" if r.score.refined else "encoder",
    "ess": lambda r: r.score.ess,
    "pareto_k": lambda r: r.score.pareto_k,
    "trusted": lambda r: r.score.trusted,
    "bits_per_dim": lambda r: r.score.bits_per_dim,
    "elbo": lambda r: r.score.elbo,
    "expected_log_likelihood": lambda r: r.score.expected_log_likelihood,
    "kl": lambda r: r.score.kl,
    "percentile": lambda r: r.score.percentile,
    "percentile_se": _of_place(lambda place: place.percentile_se),
    "two_sided_p": _of_place(lambda place: place.tail),
    "held_out_images": _of_place(lambda place: place.images),
    "log_px_as_held_out": _of_place(lambda place: place.log_px),
    "code_bits": lambda r: r.code_bits,
    **_value_columns(),
    "nearest_indices": lambda r: r.neighbours and list(r.neighbours.indices),
    "nearest_labels": lambda r: r.neighbours and list(r.neighbours.labels),
    "nearest_distances_sigma": lambda r: r.neighbours and list(r.neighbours.distances),
    "class": lambda r: r.classes and r.classes.best,
    "class_probabilities": lambda r: r.classes and list(r.classes.probabilities),
    "class_probabilities_se": lambda r: r.classes and r.classes.se and list(r.classes.se),
    "class_accuracy": lambda r: r.classes and r.classes.accuracy,
    **{f"{figure}_percentile": _percentile(figure) for figure in FIGURES},
    **{f"{figure}_tail": _tail(figure) for figure in FIGURES},
    "p_value": lambda r: r.judgement and r.judgement.p_value,
    "decided_by": lambda r: r.judgement and r.judgement.decided_by,
    "verdict": lambda r: r.verdict,
    "sentence": report_sentence,
}
"""Columns about an image, by their names in JSON and in a table."""
PIXEL_COLUMNS = ("pixels_seen", "pixels_reconstructed", "pixels_log_likelihood")
"""Columns of the model's input, E[x|z] and E log p(x_i|z) in nats: D numbers each, row by row."""
