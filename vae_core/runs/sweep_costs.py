"""Choose a few runs of a sweep, from whose cost that of all follows. Does not load PyTorch."""

import dataclasses
from collections.abc import Sequence

from vae_core.settings.config import RunConfig

_MOST = 48


def without_seed(config: RunConfig) -> RunConfig:
    """Copy a config with the seed 0 and without a name, which cost nothing."""
    return dataclasses.replace(config, title="", train=dataclasses.replace(config.train, seed=0))


def a_few(configs: Sequence[RunConfig]) -> Sequence[RunConfig]:
    """Choose at most 48 of many runs, evenly spread: the mean of their costs is about that of all.

    The first ones are not chosen alone, because sizes grow along a sweep.
    """
    if len(configs) <= _MOST:
        return configs
    return [configs[i * len(configs) // _MOST] for i in range(_MOST)]
