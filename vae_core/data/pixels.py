"""Pixels for a model: binarisation by a named protocol, and evaluation images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.basics.errors import InvalidArgument, check_choice
from vae_core.basics.seeding import generator_of
from vae_core.data.datasets import Dataset
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split


@dataclass(frozen=True)
class PackedImages:
    """N images as a model sees them, with one byte for each number instead of four.

    Attributes:
        levels: uint8, (N, C, H, W).
        white: the level of white: 1 for binary images, 255 for grey ones.
    """

    levels: Tensor
    white: int

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, chosen: slice | Tensor | NDArray[np.intp]) -> Tensor:
        """Return some of the images, (n, C, H, W), float32 in [0, 1]."""
        return _as_floats(self.levels[chosen], self.white)


def binarise(
    images: Tensor, protocol: Binarisation, generator: torch.Generator | None = None
) -> Tensor:
    """Binarise grey images for a Bernoulli model, by a named protocol.

    ``dynamic`` draws each pixel independently, 1 with probability v/255 exactly (so 0 is never
    drawn as 1, nor 255 as 0); Salakhutdinov & Murray 2008, Burda et al. 2016 (arXiv 1509.00519).
    ``threshold`` is 1 where v/255 > 1/2. ``none`` is v/255 itself, for which a Bernoulli
    log-likelihood is not the log-likelihood of a binary image.

    Args:
        images: uint8, any shape, any device.
        protocol: the name of the protocol.
        generator: on the device of ``images``; the device's default if None. Only ``dynamic`` uses
            it.

    Returns:
        float32 in [0, 1], same shape and device.

    Raises:
        InvalidArgument: for another protocol.
    """
    check_choice("The binarisation", protocol, _PROTOCOLS)
    if images.dtype != torch.uint8:
        raise TypeError(f"Binarisation takes uint8 images, not {images.dtype}.")
    return _as_floats(_PROTOCOLS[protocol](images, generator), _white(protocol))


def evaluation_images(
    dataset: Dataset,
    split: Split,
    protocol: Binarisation,
    seed: int,
    limit: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the images of a split, binarised with a fixed seed, for final figures.

    The pixels are drawn on the CPU for the whole split, before ``limit`` cuts it. So an image does
    not depend on the limit or on the device of the model.

    Returns:
        float32 images (n, C, H, W) in [0, 1] and labels (n,), on the device of ``dataset``.

    Raises:
        InvalidArgument: for an unknown split or protocol, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidArgument(f"The limit must be at least one image, not {limit}.")
    packed, labels = packed_images(dataset, split, protocol, seed)
    return packed[:limit].to(labels.device), labels[:limit]


def packed_images(
    dataset: Dataset, split: Split, protocol: Binarisation, seed: int
) -> tuple[PackedImages, Tensor]:
    """Return the images of :func:`evaluation_images`, in a quarter of the memory, on the CPU.

    The labels (n,) stay on the device of ``dataset``.

    Raises:
        InvalidArgument: for an unknown split or protocol.
    """
    check_choice("The binarisation", protocol, _PROTOCOLS)
    images, labels = dataset.split(split)
    levels = _PROTOCOLS[protocol](images.cpu(), torch.Generator().manual_seed(seed))
    return PackedImages(levels, _white(protocol)), labels


def _dynamic(images: Tensor, generator: torch.Generator | None) -> Tensor:
    if images.device.type == "cpu":
        draws = _uniform_below_255(images.numel(), generator).view(images.shape)
    else:
        draws = torch.empty_like(images).random_(0, 255, generator=generator)
    return (draws < images).view(torch.uint8)


def _uniform_below_255(count: int, generator: torch.Generator | None) -> Tensor:
    """Draw uniform bytes 0 to 254, shape (count,).

    The CPU's generator is serial, so one 64-bit word is drawn for eight bytes, which costs as much
    as one byte. Bytes equal to 255 (one in 256) are drawn again.
    """
    words = torch.empty(-(-count // 8), dtype=torch.int64)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)[:count]
    refused = torch.from_numpy(np.flatnonzero(draws.numpy() == 255))
    again = torch.empty(refused.shape, dtype=torch.uint8).random_(0, 255, generator=generator)
    return draws.index_copy_(0, refused, again)


def _threshold(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return (images > 127).view(torch.uint8)


def _grey(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return images


def _white(protocol: Binarisation) -> int:
    return 255 if protocol == "none" else 1


def _as_floats(levels: Tensor, white: int) -> Tensor:
    floats = levels.float()  # of bytes five times as fast as of booleans
    return floats if white == 1 else floats.div_(white)


_PROTOCOLS: Mapping[Binarisation, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "dynamic": _dynamic,
    "threshold": _threshold,
    "none": _grey,
}


def model_input(pixels: Tensor, binarisation: Binarisation, seed: int = 0) -> Tensor:
    """Binarise a grey image (C, H, W), uint8, for the model: float32 (1, C, H, W) in [0, 1].

    A random binarisation depends only on the seed and the image. So an image always gets the same
    one, and different images get different random numbers.
    """
    return binarise(pixels[None], binarisation, generator_of(pixels, seed, torch.device("cpu")))
