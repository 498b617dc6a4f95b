"""Settings that fit a data set, from the values of its pixels and its size, and the reason."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vae_core.settings.choices import AUGMENTED, LikelihoodName
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import find_dataset

_DARK, _LIGHT = 32, 224  # values below, and from there on, are nearly black and nearly white
_MOST_BETWEEN = 0.15  # larger shares of shades are more than the edges of strokes
_LATENT_SIZES = (2, 64)
_EPOCHS = (10, 200)
_LEAST_IMAGES_SEEN = 80_000  # in all epochs: some hundred steps
_REASONS: Mapping[LikelihoodName, str] = {
    "bernoulli": "nearly all pixels are black or white",
    "discretised-logistic": "the images have shades of grey",
    "discretised-logistic-mixture": "the images are in colour",
}


def suggested_likelihood(counts: Sequence[int], channels: int) -> LikelihoodName:
    """Return the likelihood that fits the images of a data set.

    Images are binary-like if almost no pixel lies between black and white: at most as many as the
    rarer of the two has, and at most 15 %. Images in colour are binary-like only without any such
    pixel.

    Args:
        counts: how many pixels have each value from 0 to 255.
        channels: 1 for grey, 3 for colour.
    """
    dark, light = sum(counts[:_DARK]), sum(counts[_LIGHT:])
    between = sum(counts[_DARK:_LIGHT])
    most = 0 if channels > 1 else min(dark, light, _MOST_BETWEEN * sum(counts))
    if between <= most:
        return "bernoulli"
    return "discretised-logistic-mixture" if channels > 1 else "discretised-logistic"


def suggested_settings(counts: Sequence[int], channels: int, images: int) -> dict[str, Any]:
    """Return settings that train a useful model, for ``DatasetInfo.suggested``.

    Args:
        images: how many training images there are. Few can place few latent dimensions.
    """
    name = suggested_likelihood(counts, channels)
    low, high = _LATENT_SIZES
    epochs = math.ceil(_LEAST_IMAGES_SEEN / max(images, 1))
    found = {
        "likelihood": name,
        "binarisation": "dynamic" if name == "bernoulli" else "none",
        "latent_size": min(max(2 ** math.floor(math.log2(max(images / 16, 1))), low), high),
        "epochs": min(max(epochs, _EPOCHS[0]), _EPOCHS[1]),
    }
    return found if name == "bernoulli" else found | {"network": "corrected-linear"}


def augmentation_sentence(config: RunConfig) -> str | None:
    """State what happens to the training images of a run, and why; None if nothing does."""
    chosen = config.train.augment
    if chosen == "none":
        return None
    by_data = config.info.suggested.get("augment") == chosen
    return f"Training images are {AUGMENTED[chosen]}{', as the data set suggests' * by_data}."


def likelihood_sentence(config: RunConfig) -> str | None:
    """State the likelihood of a run and the reason; None if its data set suggests another or none.

    Built-in data sets suggest none: they keep the default of all settings.
    """
    name = config.model.likelihood
    if find_dataset(config.dataset).suggested.get("likelihood") != name:
        return None
    return f"The likelihood is {name}, because {_REASONS[name]}."


def size_sentence(config: RunConfig) -> str | None:
    """Say which sizes the data set suggests; None if the run has others, or none are suggested."""
    info, model = find_dataset(config.dataset), config.model
    wanted = [info.suggested.get(name) for name in ("latent_size", "epochs")]
    if wanted != [model.latent_size, config.train.epochs]:
        return None
    return (
        f"Latent size {model.latent_size} and {config.train.epochs} epochs are suggested for "
        f"{info.sizes['train']:,} training images."
    )
