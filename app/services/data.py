"""Data sets and their images, cached for all pages."""

from typing import TYPE_CHECKING

from app.services.byte_cache import cached
from app.services.models import Choice, model
from vae_core.data.catalogue import at_hand
from vae_core.settings.data_sets import Split, find_dataset

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.data.datasets import Dataset
    from vae_core.data.pixels import PackedImages


def missing(choice: Choice) -> bool:
    """Whether the choice's data set is not on this computer, or has other images now."""
    kept = choice.run.config.kept_info
    name = choice.run.config.dataset
    return not at_hand(name) or (kept is not None and kept.digest != find_dataset(name).digest)


def dataset(name: str) -> "Dataset":
    """Load a data set, once for all sessions. Nothing is downloaded: a page would have to wait.

    Raises:
        DataError: if it is not on this computer. Pages check that first
            (:mod:`app.parts.missing_data`).
    """
    return _dataset(name, find_dataset(name).digest)


@cached(max_entries=4, show_spinner="Loading the images")
def _dataset(name: str, digest: str) -> "Dataset":
    """The digest is part of the key: a name may belong to other images later."""
    from vae_core.data.datasets import load_dataset
    from vae_core.settings.data_sets import DataError

    if not at_hand(name):
        raise DataError(f"{find_dataset(name).title} is not on this computer.")
    return load_dataset(name)


def images(
    name: str, split: Split, binarisation: str, seed: int = 0
) -> "tuple[PackedImages, Tensor]":
    """Load the images of a split as a model sees them, each binarised once, and the labels (N,).

    A slice of the images, or the images at some places, is float32 (n, C, H, W) in [0, 1].
    """
    return _images(name, find_dataset(name).digest, split, binarisation, seed)


@cached(max_entries=16)
def _images(
    name: str, digest: str, split: Split, binarisation: str, seed: int
) -> "tuple[PackedImages, Tensor]":
    from vae_core.data.pixels import packed_images

    return packed_images(dataset(name), split, binarisation, seed)  # type: ignore[arg-type]


@cached(max_entries=512, hash_funcs={Choice: Choice.weights})
def drawn(choice: Choice, number: int) -> "tuple[Tensor, Tensor]":
    """Draw an image from a model. The same number gives the same image.

    Returns:
        x (1, C, H, W) and the z ~ p(z) that it was drawn from, (d,), both on the CPU.
    """
    import torch

    from vae_core.inference.annealing import simulate

    decoder = model(choice)
    x, z = simulate(decoder, 1, torch.Generator(decoder.device).manual_seed(number))
    return x.cpu(), z[0].cpu()
