"""Example images to try a model with: test images, and what is made of one of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vae_core.inference.annealing import simulate
from vae_core.model.vae import VAE
from vae_core.scoring.foreign import upscaled_digits
from vae_core.settings.data_sets import DatasetInfo, find_dataset


@dataclass(frozen=True)
class Example:
    """An image to try a model with.

    Attributes:
        make: function from test images (N, C, H, W), uint8, to the pixels (C, H, W).
        code: the same as Python code, for ``images``.
        about: what the example shows.
        source: Python code of ``images``, with ``{dataset}`` for the name of the data set.
    """

    label: str
    make: Callable[[Tensor], Tensor]
    code: str
    about: str
    source: str = 'load_dataset("{dataset}").split("test")[0]'


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


_CLEAR = 13, 4  # test images of the digits that models of handwritten digits find typical
_ENLARGED = {
    "Test image 0": "Enlarged 7",
    "Test image 1": "Enlarged 2",
    "Upside down": "Enlarged 7, upside down",
    "Inverted": "Enlarged 7, inverted",
    "Shuffled pixels": "Enlarged 7, shuffled pixels",
    "Blank": "Blank image",
    "Noise": "Noise image",
}
_OF_ANOTHER = "A handwritten digit of a data set with smaller images, enlarged."

STAND_INS = tuple(
    replace(
        each,
        label=_ENLARGED[each.label],
        about=_OF_ANOTHER
        if each.label.startswith("Test image")
        else re.sub("(?i)test image 0", "the enlarged 7", each.about),
        source=f'upscaled_digits(16, model.config.image_shape, "{{dataset}}")[{[*_CLEAR]}]',
    )
    for each in EXAMPLES
)
"""Examples for a model of handwritten digits whose data set is not on this computer."""


_DRAWN = {
    "Test image 0": "Draw 0 of the model",
    "Test image 1": "Draw 1 of the model",
    "Upside down": "Draw 0, upside down",
    "Inverted": "Draw 0, inverted",
    "Shuffled pixels": "Draw 0, shuffled pixels",
    "Blank": "Blank image",
    "Noise": "Noise image",
}
_OF_THE_MODEL = "An image that the model draws: z ~ p(z), then x ~ p(x|z)."

DRAWN = tuple(
    replace(
        each,
        label=_DRAWN[each.label],
        about=_OF_THE_MODEL
        if each.label.startswith("Test image")
        else re.sub("(?i)test image 0", "the first draw", each.about),
        source="torch.stack([simulate(model, 1, torch.Generator().manual_seed(n))[0][0] "
        "for n in (0, 1)]).clamp(0, 1).mul(255).round().byte()",
    )
    for each in EXAMPLES
)
"""Examples for any other model whose data set is not on this computer."""


def example_images(
    images: Tensor, made: Sequence[Example] = EXAMPLES
) -> Iterator[tuple[str, Tensor]]:
    """Make the examples from test images (N, C, H, W), uint8: labels and pixels (C, H, W)."""
    for each in made:
        yield each.label, each.make(images).clone()


def stand_in_images(model: VAE, info: DatasetInfo) -> Iterator[tuple[str, Tensor]]:
    """Make examples without the data set: of other handwritten digits, or of the model's draws."""
    if digits_stand_in(info):
        images = upscaled_digits(16, info.image_shape, info.name)[list(_CLEAR)]
        return example_images(images, STAND_INS)
    return example_images(drawn_images(model), DRAWN)


def drawn_images(model: VAE) -> Tensor:
    """Draw two images from a model, always the same: (2, C, H, W), uint8."""
    draws = (
        simulate(model, 1, torch.Generator(model.device).manual_seed(number))[0]
        for number in (0, 1)
    )
    return torch.cat(list(draws)).cpu().clamp(0, 1).mul(255).round().byte()


def digits_stand_in(info: DatasetInfo) -> bool:
    """Whether other handwritten digits can be examples for a model of this data set."""
    return info.instance == find_dataset("digits").instance


def example(label: str) -> Example | None:
    """Return the example with that label, or None."""
    return next((each for each in (*EXAMPLES, *STAND_INS, *DRAWN) if each.label == label), None)
