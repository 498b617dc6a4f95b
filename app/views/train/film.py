"""The film of a run: reconstructions and samples at each epoch, from fixed images and noise."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.figures.pictures import Picture, as_picture, tile
from app.parts.animation import LARGE, Film
from app.services.byte_cache import cached

_FRAMES = 14
_SECONDS = 6.0  # of the animation
_ROWS = ("x̂ 1", "x̂ 2", "x̂ 3", "sample 1", "sample 2")
_RECONSTRUCTED, _SAMPLED = 3, 2
_EMPTY = 0.15  # the grey of the space between the images


class Frame(NamedTuple):
    """Pictures at one epoch: 12 originals, their reconstructions, and 36 samples."""

    originals: Picture
    reconstructions: Picture
    samples: Picture


def epochs(folder: Path) -> list[int]:
    """Epochs that have a frame."""
    from vae_core.runs.snapshots import snapshot_epochs

    return snapshot_epochs(folder)


@lru_cache(maxsize=64)
def planned(last_epoch: int) -> tuple[int, ...]:
    """Epochs that will have a frame when a run of ``last_epoch`` epochs is done."""
    from vae_core.runs.snapshots import due

    return tuple(epoch for epoch in range(1, last_epoch + 1) if due(epoch, last_epoch))


def frame(folder: Path, epoch: int) -> Frame | None:
    """Frame of an epoch; None if it is missing or damaged."""
    from vae_core.runs.snapshots import snapshot_file

    try:
        return _frame(str(folder), epoch, snapshot_file(folder, epoch).lstat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cached(max_entries=256)
def _frame(folder: str, epoch: int, written: int) -> Frame:  # noqa: ARG001
    from vae_core.runs.snapshots import read_snapshot

    found = read_snapshot(Path(folder), epoch)
    images = (found.originals, found.reconstructions, found.samples)
    return Frame(*(as_picture(each) for each in images))


def spread(epochs: Sequence[int], count: int = _FRAMES) -> list[int]:
    """Choose about ``count`` epochs, always the first and the last, denser at the start.

    Most changes happen in the first epochs, so each step multiplies the epoch by a similar factor.
    """
    if len(epochs) <= count:
        return list(epochs)
    wanted = np.geomspace(epochs[0], epochs[-1], count)
    return sorted({min(epochs, key=lambda e: abs(math.log(e / w))) for w in wanted})


def strip(folder: Path, last_epoch: int) -> tuple[Sequence[int], np.ndarray, Sequence[str]] | None:
    """Input of :func:`app.figures.train.strip_figure`; None before the first frame exists.

    The first column, epoch 0, holds the original images. All columns of the whole film exist from
    the start; future epochs are empty.
    """
    available = epochs(folder)
    shown = spread(sorted({*planned(last_epoch), *available}))
    frames = [frame(folder, epoch) if epoch in available else None for epoch in shown]
    first = next(filter(None, frames), None)
    if first is None or min(len(first.originals), len(first.samples)) < _RECONSTRUCTED:
        return None
    shapes = [each.shape for each in first]
    frames = [f if f and [each.shape for each in f] == shapes else None for f in frames]
    nothing = np.full_like(first.samples[: _RECONSTRUCTED + _SAMPLED], _EMPTY)
    columns = [np.concatenate([first.originals[:_RECONSTRUCTED], nothing[:_SAMPLED]])]
    columns += [
        np.concatenate([each.reconstructions[:_RECONSTRUCTED], each.samples[:_SAMPLED]])
        if each
        else nothing
        for each in frames
    ]
    return [0, *shown], np.stack(columns), _ROWS


class Pages(Sequence[Picture]):
    """The frames of a film as one picture each, read when they are asked for.

    A picture holds the originals, under each its reconstruction, and below them the samples.
    Frames that are damaged, or of other shapes than the first one, are left out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shapes = {epoch: self._shapes(epoch) for epoch in epochs(folder)}
        first = next(filter(None, shapes.values()), None)
        self.epochs = [epoch for epoch, each in shapes.items() if each and each == first]

    def _shapes(self, epoch: int) -> list[tuple[int, ...]]:
        """Shapes of the parts of a frame; empty if it is missing or its images do not match."""
        found = frame(self._folder, epoch)
        shapes = [] if found is None else [part.shape for part in found]
        return shapes if len({shape[1:] for shape in shapes}) == 1 else []

    def __len__(self) -> int:
        return len(self.epochs)

    def __getitem__(self, place: int) -> Picture:  # type: ignore[override]
        found = frame(self._folder, self.epochs[place])
        if found is None:  # it was removed meanwhile
            raise IndexError(place)
        return tile(np.concatenate(found), len(found.originals))


def animation(folder: Path) -> Film:
    """The film of a run as an animation, one picture for each epoch that has a frame."""
    pages = Pages(folder)
    return Film(pages, _SECONDS, [f"epoch {epoch:,}" for epoch in pages.epochs], side=LARGE)
