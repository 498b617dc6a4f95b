"""Gradient estimators: one mean, and noise that orders as theory says."""

import gc
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vae_core.basics.errors import UserError
from vae_core.inference.elbo import elbo_terms
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.settings.choices import GradientName, PosteriorName
from vae_core.settings.config import ModelConfig, TrainConfig
from vae_core.settings.fields import ConfigError
from vae_core.training import gradient_noise as module
from vae_core.training.gradient_noise import GradientNoise, measure_noise, memory
from vae_core.training.objective import GRADIENTS, training_loss

PRETRAINED = Path(__file__).parents[3] / "pretrained"
ELBO_ESTIMATORS: list[GradientName] = [name for name in GRADIENTS if name != "dreg"]


def small_model(posterior: PosteriorName) -> VAE:
    """Little enough of it that every weight's gradient can be held against its error."""
    torch.manual_seed(1)
    return VAE(
        ModelConfig(
            posterior=posterior,
            latent_size=2,
            flow_steps=2,
            flow_hidden_size=4,
            hidden_size=4,
            hidden_layers=1,
            image_shape=(1, 3, 3),
        )
    ).double()


@pytest.fixture
def images(generator) -> torch.Tensor:
    return (torch.rand(3, 1, 3, 3, generator=generator) < 0.5).double()


def last(
    model: VAE, x: torch.Tensor, gradient: GradientName, samples: int, repeats: int, **more: int
) -> GradientNoise:
    *_, noise = measure_noise(model, x, gradient, samples, repeats, **more)
    return noise


def mean_and_variance(
    model: VAE, x: torch.Tensor, gradient: GradientName, samples: int, repeats: int, **more: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the estimates and the variance of that mean, by coordinate."""
    estimates, before = [], torch.zeros(())
    for noise in measure_noise(model, x, gradient, samples, repeats, **more):
        estimates.append(before + noise.repeats * (noise.mean - before))
        before = noise.mean
    table = torch.stack(estimates)
    return table.mean(0), table.var(0) / repeats


def assert_same_mean(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Compare means by coordinate that has any gradient, in standard errors."""
    error = (first[1] + second[1]).sqrt()
    known = error > 1e-12
    assert known.double().mean() > 0.5
    away = ((first[0] - second[0]) / error)[known]
    assert away.abs().max() < 5.5
    assert away.square().mean() < 2


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mean-field", "full", "planar", "iaf", "spline"])
@pytest.mark.parametrize("gradient", ELBO_ESTIMATORS)
def test_all_estimators_of_the_elbo_have_one_mean(gradient, family, images):
    model = small_model(family)
    truth = mean_and_variance(model, images, "pathwise", 500, repeats=40, seed=1)
    assert_same_mean(mean_and_variance(model, images, gradient, 500, repeats=40, seed=2), truth)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mean-field", "iaf"])
def test_dreg_has_the_mean_of_the_iwae_bound(family, images):
    model = small_model(family)
    truth = mean_and_variance(model, images, "pathwise", 150, repeats=40, inside=5, seed=1)
    assert_same_mean(
        mean_and_variance(model, images, "dreg", 150, repeats=40, inside=5, seed=2), truth
    )


@pytest.mark.parametrize("beta", [0.0, 0.4, 4.0])
def test_dreg_has_the_mean_of_the_iwae_bound_with_another_weight_of_the_kl(beta, images):
    """As during KL warm-up, where the weight rises from 0."""
    model = small_model("mean-field")
    inference = [*model.encoder.parameters(), *model.to_posterior.parameters()]
    found = []
    for gradient in ("pathwise", "dreg"):
        settings = TrainConfig(gradient=gradient, samples=150, iwae_samples=5, elbo_form="joint")
        tries = []
        for seed in range(40):
            draw = torch.Generator().manual_seed(seed)
            loss, _ = training_loss(model, images, settings, beta, draw)
            slopes = torch.autograd.grad(loss, inference)
            tries.append(torch.cat([slope.flatten() for slope in slopes]))
        table = torch.stack(tries)
        found.append((table.mean(0), table.var(0) / len(table)))
    assert_same_mean(*found)


def test_the_decoder_learns_the_same_from_every_estimator(images):
    """Its gradient is the plain one: equal, not only in the mean, for the same noise."""
    model = small_model("full")
    found = []
    for gradient in GRADIENTS:
        settings = TrainConfig(gradient=gradient, samples=3, elbo_form="joint")
        loss, _ = training_loss(model, images, settings, 1.0, torch.Generator().manual_seed(3))
        found.append(torch.autograd.grad(loss, list(model.decoder.parameters())))
    for slopes in found[1:]:
        for one, other in zip(slopes, found[0], strict=True):
            torch.testing.assert_close(one, other)


def test_dreg_leaves_the_decoder_the_gradient_of_the_iwae_bound(images):
    model = small_model("full")
    found = []
    for gradient in ("pathwise", "dreg"):
        settings = TrainConfig(gradient=gradient, samples=2, iwae_samples=4)
        loss, _ = training_loss(model, images, settings, 1.0, torch.Generator().manual_seed(3))
        found.append(torch.autograd.grad(loss, list(model.decoder.parameters())))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_variances_order_as_theory_says_near_the_optimum(test_digits):
    """Score function ≫ with a baseline > pathwise > sticking the landing."""
    model = load_model(PRETRAINED / "digits-full-d2")
    total = {
        name: last(model, test_digits[:16], name, 2, repeats=100).total_variance
        for name in ELBO_ESTIMATORS
    }
    assert total["score-function"] > 10 * total["score-function-baseline"]
    assert total["score-function-baseline"] > 1.2 * total["pathwise"]
    assert total["pathwise"] > 1.2 * total["sticking-the-landing"]


def test_sticking_the_landing_has_no_noise_where_q_is_the_true_posterior():
    """z and x independent: the prior is the posterior, and every draw says the gradient is 0."""
    model = small_model("full")
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.zero_()
        for weight in model.to_posterior.parameters():
            weight.zero_()  # N(0, I)
    x = torch.ones(2, 1, 3, 3).double()
    silent = last(model, x, "sticking-the-landing", 1, repeats=5)
    assert silent.mean.abs().max() < 1e-12
    assert silent.total_variance < 1e-24
    assert last(model, x, "pathwise", 1, repeats=5).total_variance > 0.1


@pytest.mark.slow
def test_noise_falls_with_the_number_of_samples(test_digits):
    model = load_model(PRETRAINED / "digits-full-d2")
    one, nine = (
        last(model, test_digits[:8], "pathwise", samples, repeats=200).total_variance
        for samples in (1, 9)
    )
    assert one / nine == pytest.approx(9, rel=0.35)


@pytest.mark.thorough
def test_the_error_of_the_variance_is_how_much_it_differs_from_seed_to_seed(images):
    model = small_model("full")
    estimators: tuple[GradientName, ...] = ("pathwise", "score-function")
    for gradient in estimators:
        found = [last(model, images, gradient, 1, repeats=20, seed=seed) for seed in range(40)]
        spread = torch.tensor([noise.total_variance for noise in found]).std()
        errors = torch.tensor([noise.total_variance_error for noise in found])
        assert float(errors.square().mean().sqrt()) == pytest.approx(float(spread), rel=0.35)
    assert math.isnan(last(model, images, "pathwise", 1, repeats=2).total_variance_error)


def test_the_model_is_left_as_it_was(test_digits):
    model = load_model(PRETRAINED / "digits-full-d2")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    last(model, test_digits[:2], "dreg", 1, repeats=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("lower", [False, True])
def test_the_score_of_a_gaussian_is_that_of_its_density(lower, generator):
    draw = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    below = draw.tril(-1) if lower else None
    q = GaussianPosterior(draw[:, 0], 0.3 * draw[:, 1], below)
    path = q.path(q.noise(4, generator))
    z = path.z.clone().requires_grad_()
    normal = torch.distributions.MultivariateNormal(q.mean, scale_tril=q.scale_tril)
    (expected,) = torch.autograd.grad(normal.log_prob(z).sum(), z)
    torch.testing.assert_close(q.score(path), expected)


@pytest.mark.parametrize("family", ["planar", "radial", "iaf", "affine-coupling", "spline"])
def test_the_score_of_a_flow_is_that_of_its_density(family, generator):
    """Moving ε so that z moves by a little along e_i changes log q by a little times score_i."""
    model = small_model(family)
    x = (torch.rand(2, 1, 3, 3, generator=generator) < 0.5).double()
    q = model.posterior(x)
    path = q.path(q.noise(3, generator))
    score = q.score(path)
    step = 1e-5
    for i in range(2):
        changes = []
        for sign in (-1, 1):
            wanted = path.z.detach().clone()
            wanted[..., i] += sign * step
            epsilon = _inverse(q, wanted, path.epsilon)
            changes.append(q.path(epsilon).log_q.detach())
        torch.testing.assert_close(
            score[..., i], (changes[1] - changes[0]) / (2 * step), rtol=1e-4, atol=1e-5
        )


def _inverse(q, wanted: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """The noise that becomes the wanted z, by Newton's method."""
    for _ in range(20):
        epsilon = epsilon.detach().requires_grad_()
        z = q.path(epsilon).z
        rows = [
            torch.autograd.grad(z[..., i].sum(), epsilon, retain_graph=True)[0] for i in range(2)
        ]
        epsilon = epsilon - torch.linalg.solve(torch.stack(rows, -2), z - wanted)
    return epsilon.detach()


# ---- objectives


def test_the_iwae_loss_is_minus_the_bound(images):
    model = small_model("mean-field")
    settings = TrainConfig(samples=2, iwae_samples=3)
    loss, _ = training_loss(model, images, settings, 1.0, torch.Generator().manual_seed(5))
    log_w = model.log_weights(images, 6, torch.Generator().manual_seed(5)).view(2, 3, 3)
    torch.testing.assert_close(loss, -(log_w.logsumexp(1) - math.log(3)).mean())


@pytest.mark.parametrize("form", ["kl", "joint"])
def test_beta_weighs_the_kl(form, images):
    model = small_model("full")
    settings = TrainConfig(elbo_form=form)
    one, three = (
        training_loss(model, images, settings, beta, torch.Generator().manual_seed(5))
        for beta in (1.0, 3.0)
    )
    terms = one[1]
    kl = terms.kl if form == "kl" else terms.log_qz - terms.log_pz
    torch.testing.assert_close(three[0] - one[0], 2 * kl.mean())


@pytest.mark.parametrize("gradient", ["pathwise", "sticking-the-landing", "score-function"])
def test_a_kl_within_the_free_bits_costs_nothing(gradient, images):
    model = small_model("full")
    with torch.no_grad():
        terms = elbo_terms(model, images, 1, torch.Generator().manual_seed(5))
    kl = float(max(terms.kl.mean(), (terms.log_qz - terms.log_pz).mean()))
    settings = TrainConfig(gradient=gradient)

    def slopes(settings: TrainConfig, weight: float) -> list[torch.Tensor]:
        loss, _ = training_loss(model, images, settings, weight, torch.Generator().manual_seed(5))
        return list(torch.autograd.grad(loss, list(model.to_posterior.parameters())))

    free = slopes(replace(settings, free_bits=kl + 1), 1.0)
    for one, other in zip(free, slopes(settings, 0.0), strict=True):
        torch.testing.assert_close(one, other)
    paid = slopes(replace(settings, free_bits=1e-9), 1.0)
    for one, other in zip(paid, slopes(settings, 1.0), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("gradient", "samples", "inside", "says"),
    [
        ("score-function-baseline", 1, 1, "at least 2"),
        ("score-function", 1, 2, "pathwise or the DReG"),
        ("sticking-the-landing", 1, 2, "pathwise or the DReG"),
    ],
)
def test_an_estimator_that_cannot_be_used_is_refused(gradient: GradientName, samples, inside, says):
    with pytest.raises(ConfigError, match=says):
        TrainConfig(gradient=gradient, samples=samples, iwae_samples=inside)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_beyond_the_classes_is_refused_in_a_sentence(label):
    config = ModelConfig(class_head="linear", classes=3, image_shape=(1, 2, 2))
    labels = torch.tensor([0, label])
    with pytest.raises(UserError, match=f"classes 0 to 2, but an image has the label {label}"):
        training_loss(VAE(config), torch.zeros(2, 1, 2, 2), TrainConfig(), 1.0, labels=labels)


def gradient_noise_in_blocks(
    monkeypatch: pytest.MonkeyPatch, rows: int, gradient: GradientName, samples: int, inside: int
) -> GradientNoise:
    """The noise of two estimates, with at most so many latents decoded at once."""
    decoded: list[int] = []
    model = small_model("planar")
    model.decoder.register_forward_pre_hook(lambda _, given: decoded.append(len(given[0])))
    x = torch.rand(3, 1, 3, 3, generator=torch.Generator().manual_seed(0)).round().double()
    monkeypatch.setattr(module, "rows_at_once", lambda _: rows)
    noise = last(model, x, gradient, samples, repeats=2, inside=inside)
    assert max(decoded) <= max(rows, samples if "baseline" in gradient else inside)
    return noise


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gradient", "samples", "inside"),
    [
        ("pathwise", 3, 1),
        ("pathwise", 40, 3),
        ("dreg", 33, 4),
        ("sticking-the-landing", 35, 1),
        ("score-function", 20, 1),
        ("score-function-baseline", 20, 1),
    ],
)
def test_a_gradient_in_blocks_is_that_of_all_at_once(
    gradient: GradientName, samples: int, inside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gradient_noise_in_blocks(monkeypatch, 10_000, gradient, samples, inside)
    for rows in (1, 7, 50):
        parts = gradient_noise_in_blocks(monkeypatch, rows, gradient, samples, inside)
        torch.testing.assert_close(parts.mean, whole.mean, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(parts.of_means, whole.of_means, rtol=1e-10, atol=1e-12)


PEAK = """
import dataclasses, torch
from pathlib import Path
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig
from vae_core.training.gradient_noise import measure_noise

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

config = ModelConfig(image_shape=(1, 16, 16), hidden_size=8, hidden_layers=1, latent_size=2)
model, x = VAE(config).eval(), torch.rand(4, 1, 16, 16).round()
list(measure_noise(model, x, "dreg", 2, 1, inside=50))
before = peak()
list(measure_noise(model, x, "dreg", 512, 1, inside=50))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_memory_of_a_gradient_does_not_grow_with_its_samples() -> None:
    """512 terms of 50 samples for four images: one tensor of all pixels would take 105 MB."""
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60_000, "kB"


def test_an_estimate_leaves_one_vector_of_all_weights_in_memory(images):
    """Of each estimate only the gradient with respect to the encoder's means is kept."""
    model = small_model("mean-field")
    noise = measure_noise(model, images, "pathwise", 1, repeats=40)
    for _ in range(30):
        next(noise)
    gc.collect()
    kept = {
        each.untyped_storage().data_ptr()
        for each in gc.get_objects()
        if type(each) is torch.Tensor and each.untyped_storage().nbytes() == memory(model)
    }
    assert len(kept) == 1
