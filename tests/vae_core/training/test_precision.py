"""bfloat16 is for the products of training alone: whatever is reported is float32."""

import pytest
import torch

from vae_core.model.vae import VAE
from vae_core.runs.execution import execute
from vae_core.runs.store import create_run
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.training.precision import products_in, resolve_precision, training_precision

CPU = torch.device("cpu")


def processor(monkeypatch: pytest.MonkeyPatch, matrix_units: bool, bfloat16: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrix_units)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bfloat16)


@pytest.mark.parametrize(
    ("matrix_units", "bfloat16", "tiny", "usual"),
    [
        (True, True, "bfloat16", "bfloat16"),
        (False, True, "float32", "bfloat16"),
        (False, False, "float32", "float32"),
    ],
)
def test_auto_follows_the_hardware_and_anything_else_is_obeyed(
    monkeypatch, matrix_units, bfloat16, tiny, usual
) -> None:
    processor(monkeypatch, matrix_units, bfloat16)
    assert resolve_precision("auto", CPU, 8 * 8) == tiny
    assert resolve_precision("auto", CPU, 28 * 28) == usual
    assert resolve_precision("bfloat16", CPU, 8 * 8) == "bfloat16"
    assert resolve_precision("float32", CPU, 28 * 28) == "float32"


@pytest.mark.parametrize(
    ("matrix_units", "bfloat16", "network", "kept"),
    [
        (True, True, "mlp", False),
        (False, True, "mlp", True),
        (False, False, "mlp", False),
        (True, True, "conv", True),
    ],
)
def test_layers_hand_bfloat16_on_where_that_is_faster(
    monkeypatch, matrix_units, bfloat16, network, kept
) -> None:
    processor(monkeypatch, matrix_units, bfloat16)
    model = VAE(ModelConfig(network=network, latent_size=3, image_shape=(1, 8, 8)))
    handed_on = []
    model.encoder.register_forward_hook(lambda *of: handed_on.append(of[-1].dtype))
    with training_precision(model, "bfloat16"):
        logits = model.decode(model.posterior(torch.rand(4, 1, 8, 8)).path(torch.zeros(1, 4, 3)).z)
    assert handed_on == [torch.bfloat16 if kept else torch.float32]
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_products_are_exact_again_after_training(network, generator) -> None:
    model = VAE(ModelConfig(network=network, latent_size=3, image_shape=(1, 8, 8))).eval()
    x = torch.rand(4, 1, 8, 8, generator=generator)
    before = model.posterior(x).path(torch.zeros(1, 4, 3)).z
    with pytest.raises(RuntimeError, match="in the middle"), training_precision(model, "bfloat16"):
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


@pytest.mark.slow
def test_denormal_numbers_are_zero_while_a_run_is_worked_on_and_only_then(tmp_path) -> None:
    def are_zero() -> bool:
        return bool((torch.tensor([1e-39]) * 0.5 == 0).all())

    seen = []
    run = create_run(tmp_path / "run", RunConfig.from_settings({"epochs": 1}))
    assert execute(run, on_status=lambda _: seen.append(are_zero())) == "done"
    assert len(seen) > 1
    assert all(seen)
    assert not are_zero()
