"""Build a model for weights that somebody else may have made: never larger than these weights."""

import threading

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from vae_core.basics.errors import UserError
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig


class LargerThanItsWeights(UserError, ValueError):
    """A config asks for a model with more parameters than there are weights."""


def build_for_weights(config: ModelConfig, values: int) -> VAE:
    """Build the model of a config, if it has at most ``values`` parameters.

    Building ends at the first parameter too many, before that parameter is filled. So a config that
    asks for gigabytes costs neither their memory nor their time.

    Raises:
        LargerThanItsWeights: if the model would have more parameters.
    """
    here, left = threading.get_ident(), values

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        if threading.get_ident() != here or parameter is None:
            return  # the hook sees the models that other threads build, too
        left -= parameter.numel()
        if left < 0:
            raise LargerThanItsWeights(f"the config asks for more than {values:,} parameters")

    hook = register_module_parameter_registration_hook(count)
    try:
        return VAE(config)
    finally:
        hook.remove()
