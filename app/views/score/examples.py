"""Example images, made from test images of the model's data set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from app.views.score.inputs import Given


@dataclass(frozen=True)
class Example:
    """An image to try the page with.

    Attributes:
        make: function from test images (N, C, H, W), uint8, to the pixels (C, H, W).
        code: the same as Python code, for ``images``.
        about: what the example shows.
    """

    label: str
    make: Callable[[Tensor], Tensor]
    code: str
    about: str


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


EXAMPLES = (
    Example(
        "Test image 0",
        lambda images: images[0],
        "images[0]",
        "A held-out image: like the training images, but never used in training.",
    ),
    Example(
        "Test image 1",
        lambda images: images[1],
        "images[1]",
        "A held-out image: like the training images, but never used in training.",
    ),
    Example(
        "Upside down",
        lambda images: images[0].flip(1),
        "images[0].flip(1)",
        "Test image 0 upside down. The strokes are still like those of the data.",
    ),
    Example(
        "Inverted",
        lambda images: 255 - images[0],
        "255 - images[0]",
        "Test image 0 with light and dark swapped. The inversion is not corrected.",
    ),
    Example(
        "Shuffled pixels",
        lambda images: (
            images[0].flatten()[torch.randperm(images[0].numel(), generator=_seeded())]
        ).view_as(images[0]),
        "images[0].flatten()[torch.randperm(images[0].numel(), generator="
        "torch.Generator().manual_seed(0))].view_as(images[0])",
        "The same pixels as in test image 0, in a random order.",
    ),
    Example(
        "Blank",
        lambda images: torch.zeros_like(images[0]),
        "torch.zeros_like(images[0])",
        "No ink at all. Where ink is rare, a blank image scores higher than most real images.",
    ),
    Example(
        "Noise",
        lambda images: torch.randint(
            0, 256, images[0].shape, generator=_seeded(), dtype=torch.uint8
        ),
        "torch.randint(0, 256, images[0].shape, generator=torch.Generator().manual_seed(0), "
        "dtype=torch.uint8)",
        "Every pixel is drawn uniformly between black and white.",
    ),
)


def examples(images: Tensor) -> Iterator[Given]:
    """Make the examples from a data set's test images (N, C, H, W), uint8."""
    for each in EXAMPLES:
        yield Given(each.label, each.make(images).clone())


def example(label: str) -> Example | None:
    """Return the example with that label, or None."""
    return next((each for each in EXAMPLES if each.label == label), None)
