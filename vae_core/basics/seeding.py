"""Generators of random numbers that follow from a seed and an image."""

import zlib

import torch
from torch import Tensor


def generator_of(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
    """The generator of an image's noise, which follows from the seed and the image alone."""
    content = image.float().cpu().numpy().tobytes()
    # 32 bits: the CPU's generator ignores all others
    return torch.Generator(device).manual_seed(zlib.crc32(content, seed & 0xFFFFFFFF))
