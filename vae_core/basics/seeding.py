"""Random number generators that depend on a seed and an image only."""

import zlib

import torch
from torch import Tensor


def generator_of(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
    """Random number generator for one image. It depends on the seed and the pixels only."""
    content = image.float().cpu().numpy().tobytes()
    # 32 bits: the CPU's generator ignores all others
    return torch.Generator(device).manual_seed(zlib.crc32(content, seed & 0xFFFFFFFF))
