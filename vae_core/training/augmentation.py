"""Change training images by chance, on their device, a batch at a time.

The random numbers come from the generator of the training, which a checkpoint keeps. No function
waits for a GPU, so a step with them can be recorded.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vae_core.settings.choices import Augmentation

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Function from images (B, C, H, W) to changed images of the same shape and type."""

_LARGEST_SHIFT = 1 / 16  # of the height and of the width


def unchanged(images: Tensor, _generator: torch.Generator) -> Tensor:
    """Return the images, and draw nothing."""
    return images


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    heads = images.new_empty((len(images), 1, 1, 1)).random_(0, 2, generator=generator)
    return torch.where(heads > 0, images.flip(-1), images)


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image down and to the right by random whole pixels, which may be negative.

    The largest shift is a sixteenth of the side, rounded, at least a pixel. Pixels at the edge are
    repeated where nothing moves in.
    """
    return _moved(_moved(images, -2, generator), -1, generator)


def flip_shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror images as :func:`flip`, then move them as :func:`shift`."""
    return shift(flip(images, generator), generator)


AUGMENTATIONS: Mapping[Augmentation, Augment] = {
    "none": unchanged,
    "flip": flip,
    "shift": shift,
    "flip-shift": flip_shift,
}


def _moved(images: Tensor, axis: int, generator: torch.Generator) -> Tensor:
    side = images.shape[axis]
    most = max(1, round(_LARGEST_SHIFT * side))
    steps = torch.empty(len(images), dtype=torch.int64, device=images.device)
    steps.random_(-most, most + 1, generator=generator)  # (B,)
    from_places = torch.arange(side, device=images.device) - steps[:, None]  # (B, side)
    shape = [len(images), 1, 1, 1]
    shape[axis] = side
    index = from_places.clamp(0, side - 1).view(shape)
    return images.gather(axis, index.expand_as(images))
