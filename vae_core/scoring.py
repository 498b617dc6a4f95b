"""Scores of images a user gives: log p̂(x) with its diagnostics and its place among held-out images.

Raw likelihoods mislead; a percentile among images of the model's own kind says more.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from vae_core.config import Binarisation
from vae_core.datasets import binarise
from vae_core.estimators import log_density
from vae_core.images import AUTO, ImageError, Prepared, PrepareOptions, prepare
from vae_core.runs import Run
from vae_core.vae import VAE

TRUSTED_PARETO_K = 0.7
_BATCH = 32


@dataclass(frozen=True)
class Score:
    """The score of one image.

    Attributes:
        log_px: log p̂(x) in nats, with its standard error ``se``.
        ess: effective sample size, of ``importance_samples``.
        pareto_k: tail shape of the weights; above 0.7, do not trust ``log_px``.
        bits_per_dim: −log₂ p̂(x) / D.
        percentile: share of held-out images with a lower score, 0 to 100; None where the model
            has no held-out scores.
    """

    log_px: float
    se: float
    ess: float
    pareto_k: float
    bits_per_dim: float
    percentile: float | None
    importance_samples: int

    @property
    def trusted(self) -> bool:
        """Whether the weights' tail is light enough for the estimate to be trusted."""
        return self.pareto_k <= TRUSTED_PARETO_K


@dataclass(frozen=True)
class HeldOut:
    """Scores of held-out images, log p̂(x) in nats, (N,), and the protocol they were made by."""

    log_px: Tensor
    protocol: dict[str, Any]

    @classmethod
    def of(cls, run: Run) -> "HeldOut | None":
        """The held-out scores of a finished run; None before it is finished."""
        path, protocol = run.folder / "held_out.safetensors", run.evaluation()
        if protocol is None or not path.is_file():
            return None
        return cls(load_file(path)["log_px"].double(), protocol)

    def percentile(self, log_px: float) -> float:
        """The share of held-out images that score lower, in percent (ties count half)."""
        below = (self.log_px < log_px).double() + 0.5 * (self.log_px == log_px).double()
        return 100 * float(below.mean())


def model_input(pixels: Tensor, binarisation: Binarisation, seed: int = 0) -> Tensor:
    """What the model sees of a grey image (C, H, W), uint8: float32 (1, C, H, W) in [0, 1].

    A drawn binarisation follows from the seed alone, so an image always gets the same one.
    """
    return binarise(pixels[None], binarisation, torch.Generator().manual_seed(seed))


def score_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    held_out: HeldOut | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Score]:
    """Scores of images that are already as the model sees them, (B, C, H, W) in [0, 1]."""
    result = log_density(model, x.to(model.device), importance_samples, seed, on_progress)
    bits = result.bits_per_dim(model.config.pixels)
    rows = zip(
        result.log_px.tolist(),
        result.se.tolist(),
        result.ess.tolist(),
        result.pareto_k.tolist(),
        bits.tolist(),
        strict=True,
    )
    return [
        Score(
            *row,
            percentile=None if held_out is None else held_out.percentile(row[0]),
            importance_samples=importance_samples,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class FileScore:
    """What became of one file: how it was prepared and its score, or why it could not be scored."""

    file: str
    prepared: Prepared | None = None
    x: Tensor | None = None  # what the model saw, (1, C, H, W)
    score: Score | None = None
    error: str = ""


def score_files(
    model: VAE,
    files: Iterable[tuple[str, bytes | ImageError]],
    importance_samples: int,
    binarisation: Binarisation = "dynamic",
    held_out: HeldOut | None = None,
    options: PrepareOptions = AUTO,
    seed: int = 0,
) -> Iterator[FileScore]:
    """Scores of files, in order; one that cannot be read is named, and the rest are scored.

    Lazy and in small batches, so memory does not grow with their number.
    """
    stream = iter(files)
    while batch := list(islice(stream, _BATCH)):
        read = [_read(model, name, data, binarisation, options, seed) for name, data in batch]
        inputs = [each.x for each in read if each.x is not None]
        if inputs:
            scores = iter(
                score_images(model, torch.cat(inputs), importance_samples, held_out, seed)
            )
            read = [_with_score(each, scores) for each in read]
        yield from read


def _read(
    model: VAE,
    name: str,
    data: bytes | ImageError,
    binarisation: Binarisation,
    options: PrepareOptions,
    seed: int,
) -> FileScore:
    if isinstance(data, ImageError):
        return FileScore(name, error=str(data))
    try:
        prepared = prepare(data, name, model.config.image_shape, options)
    except ImageError as error:
        return FileScore(name, error=str(error))
    return FileScore(name, prepared, model_input(prepared.pixels, binarisation, seed))


def _with_score(read: FileScore, scores: Iterator[Score]) -> FileScore:
    if read.x is None:
        return read
    return FileScore(read.file, read.prepared, read.x, next(scores))


def as_row(result: FileScore) -> dict[str, Any]:
    """The score of a file that could be read, or ``{file, ok: False, error}``."""
    if result.score is None:
        return {"file": result.file, "ok": False, "error": result.error}
    score = result.score
    return {
        "file": result.file,
        "ok": True,
        "log_px": score.log_px,
        "se": score.se,
        "ess": score.ess,
        "pareto_k": score.pareto_k,
        "bits_per_dim": score.bits_per_dim,
        "percentile": score.percentile,
    }
