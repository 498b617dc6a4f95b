"""The decoder's Jacobian in forward mode, against PyTorch's reverse mode."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from vae_core.model.derivatives import with_jacobian
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig

NETWORKS = {
    "mlp": {"network": "mlp", "hidden_size": 20, "hidden_layers": 2},
    "conv": {"network": "conv", "channels": 3, "image_shape": (1, 9, 14)},
    "corrected-linear": {"network": "corrected-linear", "channels": 3, "image_shape": (1, 9, 14)},
    "linear": {"network": "linear"},
}


@pytest.mark.parametrize("likelihood", ["bernoulli", "discretised-logistic-mixture"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_decoder_is_differentiated_exactly(network, likelihood):
    torch.manual_seed(0)
    settings = {"image_shape": (1, 4, 5), "latent_size": 3, "mixture_components": 2}
    model = VAE(ModelConfig(**settings | NETWORKS[network], likelihood=likelihood)).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)  # also the gains of residual blocks
    z = torch.randn(4, 3, dtype=torch.float64)
    with torch.no_grad():
        outputs, columns = model.decode_with_jacobian(z)
    torch.testing.assert_close(outputs, model.decode(z))
    for latent, found in zip(z, columns, strict=True):
        exact = jacobian(lambda one: model.decode(one[None])[0], latent)
        assert isinstance(exact, Tensor)
        torch.testing.assert_close(found, exact.movedim(-1, 0))


def test_a_layer_without_a_known_derivative_is_named():
    with pytest.raises(TypeError, match="No derivative is known for Tanh"):
        with_jacobian([nn.Linear(2, 3), nn.Tanh()], torch.zeros(1, 2))
