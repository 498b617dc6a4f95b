"""Random number generators: of a seed and an image only, or continued from a saved state."""

import zlib
from operator import index
from typing import SupportsIndex

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument


def generator_of(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
    """Random number generator for one image. It depends on the seed and the pixels only.

    Raises:
        InvalidArgument: if the seed is not a whole number.
    """
    if not isinstance(seed, SupportsIndex):
        raise InvalidArgument(f"The seed must be a whole number, not {seed}.")
    content = image.float().cpu().numpy().tobytes()
    # 32 bits: the CPU's generator ignores all others
    return torch.Generator(device).manual_seed(zlib.crc32(content, index(seed) & 0xFFFFFFFF))


def continue_generator(generator: torch.Generator, state: Tensor, place: str) -> None:
    """Continue the random numbers of a saved state.

    Those of another kind of device cannot be continued. New ones begin then, which depend on
    ``place`` only.
    """
    if state.shape == generator.get_state().shape:
        generator.set_state(state)
    else:
        generator.manual_seed(zlib.crc32(place.encode()))
