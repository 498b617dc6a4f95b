"""Presets: complete sets of settings by name.

Their results on MNIST are in tests/benchmarks/README.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PresetName = Literal["quick", "good"]


@dataclass(frozen=True)
class Preset:
    """Settings that go together.

    Attributes:
        title: name in lists.
        about: a sentence about its purpose.
        settings: values for ``RunConfig.from_settings``; other settings keep their defaults.
    """

    title: str
    about: str
    settings: Mapping[str, Any]


PRESETS: Mapping[PresetName, Preset] = {
    "quick": Preset(
        "Quick",
        "Wide fully connected layers and large batches: many short epochs.",
        {
            "posterior": "mean-field",
            "latent_size": 50,
            "network": "mlp",
            "hidden_size": 400,
            "epochs": 20,
            "batch_size": 256,
            "learning_rate": 3e-3,
        },
    ),
    "good": Preset(
        "Good",
        "Residual convolutions: few long epochs, and a better model.",
        {
            "posterior": "mean-field",
            "latent_size": 50,
            "network": "conv",
            "epochs": 5,
            "kl_warmup_epochs": 0,
        },
    ),
}
