"""Whole sets of settings by name, for those who would rather not choose.

They were found on MNIST; what they reach, and in what time, is in the README.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PresetName = Literal["quick", "good"]


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    Attributes:
        title: what a list calls it.
        about: a sentence on what it is for.
        settings: as ``RunConfig.from_settings`` takes them; others keep their defaults.
    """

    title: str
    about: str
    settings: Mapping[str, Any]


PRESETS: Mapping[PresetName, Preset] = {
    "quick": Preset(
        "Quick",
        "Fully connected, a good model of MNIST in under a minute on two cores.",
        {
            "posterior": "mean-field",
            "latent_size": 50,
            "network": "mlp",
        },
    ),
    "good": Preset(
        "Good",
        "Residual convolutional, a better model of MNIST in about five minutes on two cores.",
        {
            "posterior": "mean-field",
            "latent_size": 50,
            "network": "conv",
        },
    ),
}
