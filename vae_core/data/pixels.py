"""Pixels as a model takes them: binarisation by a named protocol, and evaluation images."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument, check_choice
from vae_core.basics.seeding import generator_of
from vae_core.data.datasets import Dataset
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split


def binarise(
    images: Tensor, protocol: Binarisation, generator: torch.Generator | None = None
) -> Tensor:
    """Grey images as a Bernoulli model takes them, by a named protocol.

    ``dynamic`` draws each pixel independently, 1 with probability v/255 exactly (so 0 is never
    drawn as 1, nor 255 as 0); Salakhutdinov & Murray 2008, Burda et al. 2016 (arXiv 1509.00519).
    ``threshold`` is 1 where v/255 > 1/2. ``none`` is v/255 itself, for which a Bernoulli
    log-likelihood is not that of a binary image.

    Args:
        images: uint8, any shape, any device.
        protocol: which of the three.
        generator: of the device of ``images``; the device's default where None. Only ``dynamic``
            draws from it.

    Returns:
        float32 in [0, 1], same shape and device.

    Raises:
        InvalidArgument: for another protocol.
    """
    check_choice("The binarisation", protocol, _PROTOCOLS)
    if images.dtype != torch.uint8:
        raise TypeError(f"Binarisation takes uint8 images, not {images.dtype}.")
    return _PROTOCOLS[protocol](images, generator)


def evaluation_images(
    dataset: Dataset,
    split: Split,
    protocol: Binarisation,
    seed: int,
    limit: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The images of a split, binarised once and for all by ``seed``, for figures that are kept.

    The draw is made on the CPU for the whole split before ``limit`` cuts it, so that an image is
    the same whatever the limit and wherever the model runs.

    Returns:
        float32 images (n, C, H, W) in [0, 1] and labels (n,), on the device of ``dataset``.

    Raises:
        InvalidArgument: for an unknown split or protocol, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidArgument(f"The limit must be at least one image, not {limit}.")
    images, labels = dataset.split(split)
    generator = torch.Generator().manual_seed(seed)
    drawn = binarise(images.cpu(), protocol, generator)[:limit]
    return drawn.to(images.device), labels[:limit]


def _dynamic(images: Tensor, generator: torch.Generator | None) -> Tensor:
    if images.device.type == "cpu":
        draws = _uniform_below_255(images.numel(), generator).view(images.shape)
    else:
        draws = torch.empty_like(images).random_(0, 255, generator=generator)
    return _zero_or_one(draws < images)


def _uniform_below_255(count: int, generator: torch.Generator | None) -> Tensor:
    """Uniform bytes 0 to 254, shape (count,).

    The CPU's generator is serial: a word of it gives eight bytes at the price of one, and the one
    byte in 256 that is 255 is drawn again.
    """
    words = torch.empty(-(-count // 8), dtype=torch.int64)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)[:count]
    refused = torch.from_numpy(np.flatnonzero(draws.numpy() == 255))
    again = torch.empty(refused.shape, dtype=torch.uint8).random_(0, 255, generator=generator)
    return draws.index_copy_(0, refused, again)


def _threshold(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return _zero_or_one(images > 127)


def _grey(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return images.float() / 255


def _zero_or_one(decisions: Tensor) -> Tensor:
    return decisions.view(torch.uint8).float()  # five times as fast as from bool


_PROTOCOLS: Mapping[Binarisation, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "dynamic": _dynamic,
    "threshold": _threshold,
    "none": _grey,
}


def model_input(pixels: Tensor, binarisation: Binarisation, seed: int = 0) -> Tensor:
    """What the model sees of a grey image (C, H, W), uint8: float32 (1, C, H, W) in [0, 1].

    A drawn binarisation follows from the seed and the image alone, so an image always gets the
    same one, and no two images share theirs.
    """
    return binarise(pixels[None], binarisation, generator_of(pixels, seed, torch.device("cpu")))
