"""Prepare a few images as a data set would have them, before anything is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vae_core.basics.progress import Step
from vae_core.data.examination import Examined, Plan, Seen
from vae_core.data.own import prepared_pixels
from vae_core.data.picture import ImageError, Levels
from vae_core.data.sources.base import Entry

T = TypeVar("T")
PREVIEWED = 32
"""Images of a preview."""
_EVERY = 200  # files between two states


@dataclass(frozen=True)
class Previewed:
    """An image of a preview.

    Attributes:
        name: its path in the source.
        label: name of its class, if it has one.
        pixels: uint8, (C, H, W); None if the image cannot be read.
        error: why it cannot be read.
    """

    name: str
    label: str | None
    pixels: Levels | None
    error: str = ""


def preview_steps(
    found: Examined, plan: Plan, count: int = PREVIEWED
) -> Iterator[Step[list[Previewed]]]:
    """Prepare up to ``count`` images of all classes; the last step has them, class by class."""
    chosen = chosen_files(found.files, count)
    made: dict[int, Previewed] = {}
    for index, entry in enumerate(found.source.entries()):
        if index in chosen:
            made[index] = _previewed(entry, found.files[index], plan)
        if len(made) == len(chosen):
            break
        if index in chosen or index % _EVERY == 0:
            yield Step(len(made) / len(chosen))
    yield Step(1.0, [made[index] for index in chosen if index in made])


def chosen_files(files: Sequence[Seen], count: int) -> list[int]:
    """Choose images for a preview: as many of each class as possible, evenly over the source.

    Returns:
        Indices into ``files``, class by class.
    """
    by_class: dict[str | None, list[int]] = {}
    for index, each in enumerate(files):
        if not each.refused:
            by_class.setdefault(each.place.label, []).append(index)
    groups = [by_class[label] for label in sorted(by_class, key=lambda each: (each is None, each))]
    groups = _spread(groups, count)
    sizes = [0] * len(groups)
    left = min(count, sum(map(len, groups)))
    while left:
        for place, group in enumerate(groups):
            if left and sizes[place] < len(group):
                sizes[place] += 1
                left -= 1
    return [
        index for group, size in zip(groups, sizes, strict=True) for index in _spread(group, size)
    ]


def _spread(items: list[T], count: int) -> list[T]:
    """Take up to ``count`` items, evenly from the first to the last."""
    places = np.linspace(0, len(items) - 1, min(count, len(items)))
    return [items[place] for place in np.rint(places).astype(int).tolist()]


def _previewed(entry: Entry, seen: Seen, plan: Plan) -> Previewed:
    try:
        return Previewed(seen.name, seen.place.label, prepared_pixels(entry, plan))
    except ImageError as error:
        return Previewed(seen.name, seen.place.label, None, str(error))
