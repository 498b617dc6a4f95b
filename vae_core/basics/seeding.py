"""Random number generators: of a seed and an image only, or continued from a saved state."""

import zlib

import torch
from torch import Tensor


def generator_of(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
    """Random number generator for one image. It depends on the seed and the pixels only."""
    content = image.float().cpu().numpy().tobytes()
    # 32 bits: the CPU's generator ignores all others
    return torch.Generator(device).manual_seed(zlib.crc32(content, seed & 0xFFFFFFFF))


def continue_generator(generator: torch.Generator, state: Tensor, place: str) -> None:
    """Continue the random numbers of a saved state.

    Those of another kind of device cannot be continued. New ones begin then, which depend on
    ``place`` only.
    """
    if state.shape == generator.get_state().shape:
        generator.set_state(state)
    else:
        generator.manual_seed(zlib.crc32(place.encode()))
