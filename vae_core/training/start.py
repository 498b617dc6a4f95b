"""What a model knows about the images before its first step."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vae_core.model.principal import most_images
from vae_core.model.vae import VAE
from vae_core.settings.fields import ConfigError, Setting, settings_of
from vae_core.settings.model_config import ModelConfig


def start_from_data(model: VAE, images: Tensor, seed: int) -> None:
    """Start from the mean of all training images, and from their components where a network can.

    Args:
        images: uint8 (N, C, H, W).
    """
    mean = images.float().mean(0) / 255  # what a decoder that knows nothing else says
    model.start_from(mean)
    if model.has_linear_part:
        model.start_from_components(_some(images, model, seed).float() / 255, seed)


def start_from_weights(model: VAE, source: VAE) -> None:
    """Copy the weights of another model.

    Raises:
        ConfigError: if they do not fit, with the settings that differ, or are not all finite.
    """
    weights = source.state_dict()
    if _shapes(weights) != _shapes(model.state_dict()):
        raise ConfigError(_misfit(model.config, source.config))
    if not all(torch.isfinite(each).all() for each in weights.values()):
        raise ConfigError(
            "Some of the weights to start from are NaN or infinite, so no training can start from "
            "them. Choose another model."
        )
    model.load_state_dict(weights)


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: each.shape for name, each in weights.items()}


def _misfit(wanted: ModelConfig, source: ModelConfig) -> str:
    """Name the settings in which two models of different architecture differ."""
    differing = [
        f"{each.label} is {theirs}, not {ours}"
        for each in settings_of(ModelConfig)
        if (theirs := getattr(source, each.name)) != (ours := getattr(wanted, each.name))
        and any(_applies(each, config) for config in (wanted, source))
    ]
    shapes = [" × ".join(map(str, config.image_shape)) for config in (source, wanted)]
    if shapes[0] != shapes[1]:
        differing.insert(0, f"the shape of its images is {shapes[0]}, not {shapes[1]}")
    if source.classes != wanted.classes and "none" not in (source.class_head, wanted.class_head):
        differing.append(f"its number of classes is {source.classes}, not {wanted.classes}")
    return (
        "The weights to start from belong to a model of another architecture: "
        f"{'; '.join(differing)}."
    )


def _applies(about: Setting, config: ModelConfig) -> bool:
    """Whether a setting has an effect on the model of a config."""
    if about.only_if is None:
        return True
    other, values = about.only_if
    return getattr(config, other) in values


def _some(images: Tensor, model: VAE, seed: int) -> Tensor:
    count = most_images(model.config.pixels, model.config.latent_size)
    if count >= len(images):
        return images
    draw = torch.Generator().manual_seed(seed)
    return images[torch.randperm(len(images), generator=draw)[:count].to(images.device)]
