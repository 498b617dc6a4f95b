"""bfloat16 is for the products of training alone: whatever is reported is float32."""

import pytest
import torch

from vae_core.config import ModelConfig
from vae_core.precision import products_in, resolve_precision
from vae_core.vae import VAE


def test_auto_follows_the_hardware_and_anything_else_is_obeyed(monkeypatch) -> None:
    cpu = torch.device("cpu")
    for has_units, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda has=has_units: has)
        assert resolve_precision("auto", cpu) == expected
        assert resolve_precision("bfloat16", cpu) == "bfloat16"
        assert resolve_precision("float32", cpu) == "float32"


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_products_are_exact_again_after_training(network, generator) -> None:
    model = VAE(ModelConfig(network=network, latent_size=3, image_shape=(1, 8, 8))).eval()
    x = torch.rand(4, 1, 8, 8, generator=generator)
    before = model.posterior(x).path(torch.zeros(1, 4, 3)).z
    with pytest.raises(RuntimeError, match="in the middle"), model.products_in("bfloat16"):
        raise RuntimeError("in the middle of a step")
    assert torch.equal(model.posterior(x).path(torch.zeros(1, 4, 3)).z, before)


def test_bfloat16_rounds_factors_and_keeps_float32_results(generator) -> None:
    a, b = (torch.randn(64, 64, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    with products_in("bfloat16"):
        rounded = a @ b
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=0.2)
    torch.testing.assert_close((a @ b).double(), exact, rtol=0, atol=1e-4)
