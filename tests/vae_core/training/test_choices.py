"""What can be chosen in training: gradients, objectives, likelihoods, a decoder that is kept."""

import json
import math

import pytest
import torch

from vae_core.cli.main import main
from vae_core.data.pixels import evaluation_images
from vae_core.model.linear_gaussian import of_model
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.runs.execution import execute
from vae_core.runs.run import RunError
from vae_core.runs.store import create_run, find_run
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.fields import ConfigError
from vae_core.training.objective import GRADIENTS
from vae_core.training.trainer import EpochDone, Training

pytestmark = pytest.mark.slow

QUICK = {"hidden_size": 32, "batch_size": 64, "importance_every": 0, "learning_rate": 5e-3}
LEARNS = 30  # epochs after which a d = 2 model of the digits has left the mean image behind


def elbos(digits, **settings) -> list[float]:
    training = Training(RunConfig.from_settings({**QUICK, **settings}), digits)
    done = [event for event in training.events() if isinstance(event, EpochDone)]
    return [event.metrics["validation"]["elbo"] for event in done]


@pytest.mark.parametrize("gradient", [name for name in GRADIENTS if name != "score-function"])
def test_every_gradient_trains(gradient, digits):
    assert elbos(digits, gradient=gradient, samples=4, epochs=LEARNS)[-1] > -25.6


def test_the_score_function_alone_drowns_in_its_noise(digits):
    """It moves the decoder as the others do, and q(z|x) hardly at all."""
    found = elbos(digits, gradient="score-function", samples=4, epochs=LEARNS)
    assert -27.5 < found[-1] < -26


@pytest.mark.thorough
@pytest.mark.parametrize("gradient", ["pathwise", "dreg"])
def test_the_iwae_bound_trains(gradient, digits):
    assert elbos(digits, gradient=gradient, iwae_samples=5, epochs=LEARNS)[-1] > -25.5


@pytest.mark.thorough
def test_a_heavier_kl_carries_fewer_nats(digits):
    kl = []
    for beta in (0.5, 4.0):
        settings = {**QUICK, "beta": beta, "epochs": LEARNS, "kl_warmup_epochs": 0}
        training = Training(RunConfig.from_settings(settings), digits)
        done = [event for event in training.events() if isinstance(event, EpochDone)]
        kl.append(done[-1].metrics["validation"]["kl"])
    assert kl[0] > kl[1] + 1


# ---- likelihoods


def test_grey_likelihoods_take_grey_pixels_by_themselves():
    config = RunConfig.from_settings({"likelihood": "continuous-bernoulli"})
    assert config.train.binarisation == "none"
    with pytest.raises(ConfigError, match="set the binarisation to none"):
        RunConfig.from_settings({"likelihood": "gaussian", "binarisation": "dynamic"})


def test_the_continuous_bernoulli_learns_a_density_of_grey_images(digits):
    found = elbos(digits, likelihood="continuous-bernoulli", epochs=12)
    assert found[-1] > 30  # the uniform density of grey images is 0 nats


def test_a_linear_gaussian_vae_learns_probabilistic_pca(digits):
    """The maximum of the likelihood is known: from the eigenvalues (Tipping & Bishop, eq. 8)."""
    settings = {
        "network": "linear",
        "likelihood": "gaussian",
        "posterior": "full",
        "latent_size": 2,
        "epochs": 120,
        "learning_rate": 2e-2,
        "kl_warmup_epochs": 0,
        "batch_size": 256,
        "importance_every": 0,
    }
    training = Training(RunConfig.from_settings(settings), digits)
    for _ in training.events():
        pass
    x, _ = evaluation_images(digits, "train", "none", 0)
    pixels = x.flatten(1).double()
    covariance = torch.cov(pixels.T, correction=0)
    values = torch.linalg.eigvalsh(covariance).flip(0)
    noise = values[2:].mean()
    best = -0.5 * (64 * math.log(2 * math.pi) + values[:2].log().sum() + 62 * noise.log() + 64)
    exact = of_model(training.model)
    assert exact is not None
    reached = exact.log_px(x).double().mean()
    assert float(best - reached) == pytest.approx(0, abs=0.3)
    with torch.no_grad():
        elbo = training.model.log_weights(x, 20, torch.Generator().manual_seed(0)).mean()
    assert float(reached - elbo) < 0.3
    assert float(reached - elbo) > -0.01


# ---- a decoder that is kept


@pytest.mark.thorough
def test_a_kept_decoder_stays_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "store"))
    first = create_run(
        tmp_path / "store" / "first", RunConfig.from_settings({**QUICK, "epochs": 2})
    )
    assert execute(first) == "done"
    settings = {**QUICK, "epochs": 2, "posterior": "planar", "decoder_of": "first"}
    second = create_run(tmp_path / "store" / "second", RunConfig.from_settings(settings))
    assert execute(second) == "done"
    one, other = load_model(first.folder), load_model(second.folder)
    for name, value in one.decoder.state_dict().items():
        assert torch.equal(other.decoder.state_dict()[name], value)
    found = [row["validation"]["elbo"] for row in second.metrics()]
    assert found[1] > found[0]
    assert not torch.equal(next(one.encoder.parameters()), next(other.encoder.parameters()))


def test_a_decoder_that_does_not_fit_is_refused_in_a_sentence(digits):
    config = RunConfig.from_settings({"hidden_size": 32})
    with pytest.raises(ConfigError, match="does not fit"):
        Training(config, digits, VAE(ModelConfig(hidden_size=16, image_shape=(1, 8, 8))))


def test_a_missing_decoder_fails_the_run_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path))
    run = create_run(tmp_path / "one", RunConfig.from_settings({"decoder_of": "nobody"}))
    assert execute(run) == "failed"
    assert "nobody" in run.status().error


@pytest.mark.parametrize("key", ["../secret", "pretrained/../x", "", "pretrained/"])
def test_a_key_cannot_leave_the_store(key):
    with pytest.raises(RunError):
        find_run(key)


# ---- the gap, from the command line


@pytest.mark.thorough
def test_the_gap_command_takes_the_gap_apart(capsys):
    assert main(["gap", "pretrained/digits-full-d2", "--limit", "8", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["log_px_by"] == "quadrature"
    assert figures["images"] == 8
    assert figures["gap"] == pytest.approx(
        figures["approximation"] + figures["amortisation"], abs=1e-9
    )
    assert figures["approximation"] > -3 * figures["approximation_se"]
    assert figures["amortisation"] > -3 * figures["amortisation_se"]
    assert figures["gap"] == pytest.approx(figures["log_px"] - figures["elbo"], abs=1e-6)


def test_a_grey_model_is_not_asked_about_binarised_pixels(tmp_path, capsys):
    settings = {**QUICK, "likelihood": "continuous-bernoulli", "epochs": 1}
    run = create_run(tmp_path / "grey", RunConfig.from_settings(settings))
    assert execute(run) == "done"
    assert main(["evaluate", str(run.folder), "--binarisation", "dynamic"]) == 2
    assert "none" in capsys.readouterr().err
    assert main(["evaluate", str(run.folder), "--limit", "3", "--importance-samples", "5"]) == 0
    assert "grey values, continuous-bernoulli density" in capsys.readouterr().out
