"""Score reports of any number of files, in constant memory."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from vae_core.data.decode import ImageError
from vae_core.data.pixels import model_input
from vae_core.data.prepare import Prepared, PrepareOptions, prepare
from vae_core.model.vae import VAE
from vae_core.scoring.judge import Judge
from vae_core.scoring.pixel_map import PixelTerms, pixel_terms
from vae_core.scoring.report import Report, report_images
from vae_core.scoring.score import Score
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import DatasetInfo

_BATCH = 32
_NO_VERDICT = Judge()


@dataclass(frozen=True)
class FileScore:
    """One file: how it was prepared and its report, or the error if it could not be scored.

    Attributes:
        x: the image as the model saw it, (1, C, H, W).
        pixels: log-likelihood of each pixel, if requested.
        sha256: digest of the file's bytes, in hexadecimal digits; empty if it was not scored.
    """

    file: str
    prepared: Prepared | None = None
    x: Tensor | None = None
    report: Report | None = None
    pixels: PixelTerms | None = None
    error: str = ""
    sha256: str = ""

    @property
    def score(self) -> Score | None:
        """log p̂(x) and its diagnostics."""
        return None if self.report is None else self.report.score


def score_files(
    model: VAE,
    files: Iterable[tuple[str, bytes | ImageError]],
    importance_samples: int,
    judge: Judge = _NO_VERDICT,
    options: PrepareOptions | None = None,
    seed: int = 0,
    dataset: str | DatasetInfo | None = None,
    pixel_maps: bool = False,
) -> Iterator[FileScore]:
    """Report on files, in order. A file that cannot be read gets an error; the rest are scored.

    The files are read in small batches, so memory does not grow with their number.

    Args:
        judge: the binarisation of the files' pixels, and held-out images with the same one.
        options, dataset: as in :func:`vae_core.data.prepare.prepare`.
        pixel_maps: whether to measure the log-likelihood of each pixel.
    """
    stream = iter(files)
    while batch := list(islice(stream, _BATCH)):
        read = [
            _read(model, name, data, judge.binarisation, options, seed, dataset)
            for name, data in batch
        ]
        inputs = [each.x for each in read if each.x is not None]
        if inputs:
            x = torch.cat(inputs)
            reports = iter(report_images(model, x, importance_samples, judge, seed))
            read = [e if e.x is None else replace(e, report=next(reports)) for e in read]
            if pixel_maps:
                read = [_with_pixels(model, each, seed) for each in read]
        yield from read


def _read(
    model: VAE,
    name: str,
    data: bytes | ImageError,
    binarisation: Binarisation,
    options: PrepareOptions | None,
    seed: int,
    dataset: str | DatasetInfo | None,
) -> FileScore:
    if isinstance(data, ImageError):
        return FileScore(name, error=str(data))
    try:
        prepared = prepare(data, name, model.config.image_shape, options, dataset)
    except ImageError as error:
        return FileScore(name, error=str(error))
    x = model_input(prepared.pixels, binarisation, seed)
    return FileScore(name, prepared, x, sha256=hashlib.sha256(data).hexdigest())


def _with_pixels(model: VAE, found: FileScore, seed: int) -> FileScore:
    return (
        found if found.x is None else replace(found, pixels=pixel_terms(model, found.x, seed=seed))
    )
