"""What a model knows about the images before its first step."""

import torch
from torch import Tensor

from vae_core.model.principal import most_images
from vae_core.model.vae import VAE


def start_from_data(model: VAE, images: Tensor, seed: int) -> None:
    """Start from the mean of all training images, and from their components where a network can.

    Args:
        images: uint8 (N, C, H, W).
    """
    mean = images.float().mean(0) / 255  # what a decoder that knows nothing else says
    model.start_from(mean)
    if model.has_linear_part:
        model.start_from_components(_some(images, model, seed).float() / 255, seed)


def _some(images: Tensor, model: VAE, seed: int) -> Tensor:
    count = most_images(model.config.pixels, model.config.latent_size)
    if count >= len(images):
        return images
    draw = torch.Generator().manual_seed(seed)
    return images[torch.randperm(len(images), generator=draw)[:count].to(images.device)]
