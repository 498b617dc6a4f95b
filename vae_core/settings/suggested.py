"""The likelihood that fits a data set, from the values of its pixels, and the reason in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from vae_core.settings.choices import AUGMENTED, LikelihoodName
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import find_dataset

_DARK, _LIGHT = 32, 224  # values below, and from there on, are nearly black and nearly white
_MOST_BETWEEN = 0.15  # larger shares of shades are more than the edges of strokes
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


def suggested_settings(counts: Sequence[int], channels: int) -> dict[str, Any]:
    """Return the same as settings, for ``DatasetInfo.suggested``."""
    name = suggested_likelihood(counts, channels)
    binary = name == "bernoulli"
    return {"likelihood": name, "binarisation": "dynamic" if binary else "none"}


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
