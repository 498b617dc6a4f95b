"""Which images a model takes: arrays of any kind of float, and pixels that can exist."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.analysis.evaluation import evaluate
from vae_core.analysis.latent import encode
from vae_core.basics.errors import UserError
from vae_core.basics.warned import GreyImages
from vae_core.inference.annealing import Annealing, ais
from vae_core.inference.elbo import elbo_terms
from vae_core.inference.hmc import posterior_steps
from vae_core.inference.importance import log_density, log_density_steps, log_density_to
from vae_core.inference.methods import infer
from vae_core.inference.proposals import refine, refined_log_density
from vae_core.inference.quadrature import posterior_grid, quadrature
from vae_core.inference.refit import refit
from vae_core.inference.svi import svi
from vae_core.model.vae import VAE
from vae_core.scoring.pixel_map import pixel_terms
from vae_core.scoring.report import report_images
from vae_core.scoring.score import score_images
from vae_core.settings.config import ModelConfig

FUNCTIONS: dict[str, Callable[[VAE, Tensor], object]] = {
    "posterior": lambda m, x: m.posterior(x),
    "log_weights": lambda m, x: m.log_weights(x, 2),
    "elbo_terms": lambda m, x: elbo_terms(m, x, 2),
    "log_density": lambda m, x: log_density(m, x, 30),
    "log_density_to": lambda m, x: log_density_to(m, x, 1.0, most=30),
    "log_density_steps": lambda m, x: list(log_density_steps(m, x, 30)),
    "refine": lambda m, x: refine(m, x),
    "refined_log_density": lambda m, x: refined_log_density(m, x, 30),
    "quadrature": lambda m, x: quadrature(m, x),
    "posterior_grid": lambda m, x: posterior_grid(m, x[:1]),
    "ais": lambda m, x: ais(m, x, Annealing(2, 2, 1)),
    "refit": lambda m, x: next(refit(m, x)),
    "svi": lambda m, x: next(svi(m, x)),
    "hmc": lambda m, x: next(posterior_steps(m, x, 2, 2, 1)),
    "infer": lambda m, x: list(infer("amortised", m, x[:1], 2)),
    "encode": lambda m, x: encode(m, torch.as_tensor(x)),
    "pixel_terms": lambda m, x: pixel_terms(m, x[:1], 2),
    "score_images": lambda m, x: score_images(m, x, 30),
    "report_images": lambda m, x: report_images(m, x, 30),
}


@pytest.fixture(scope="module")
def model() -> VAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(hidden_size=8, hidden_layers=1, image_shape=(1, 4, 4))
        return VAE(config).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("spoil", "value"),
    [
        (lambda x: x * 255, "255"),
        (lambda x: x * 2 - 1, "-1"),
        (lambda x: x * (1 + 1e-6), r"1\.0000009"),  # not "a pixel of 1"
        (lambda x: x / 0, "(nan|inf)"),
    ],
)
def test_pixels_that_cannot_exist_are_refused(name, spoil, value, model, x):
    with pytest.raises(ValueError, match=rf"in \[0, 1\]; image 0 has a pixel of {value}") as found:
        FUNCTIONS[name](model, spoil(x))
    assert isinstance(found.value, UserError)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", [lambda x: x.numpy(), lambda x: x.double(), lambda x: x.half()])
def test_arrays_and_other_floats_are_converted(name, kind, model, x):
    FUNCTIONS[name](model, kind(x))


def test_a_converted_image_has_the_score_of_the_tensor(model, x):
    expected = log_density(model, x, 50).log_px
    for given in (x.numpy(), x.double(), x.double().numpy(), x.bool()):
        torch.testing.assert_close(log_density(model, given, 50).log_px, expected)


def test_the_image_with_the_bad_pixel_is_named(model, x):
    spoilt = x.clone()
    spoilt[1, 0, 2, 3] = torch.nan
    with pytest.raises(UserError, match="image 1 has a pixel of nan"):
        refine(model, spoilt)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), "floats"),
        (np.zeros((1, 1, 4, 4), np.int64), "floats"),
        ([[0.0]], "tensor or a NumPy array, not a list"),
        (torch.zeros(4, 4), "four dimensions"),
        (torch.zeros(1, 1, 5, 4), r"shape \(1, 4, 4\), not \(1, 5, 4\)"),
    ],
)
def test_what_is_no_batch_of_images_is_refused_in_a_sentence(given, words, model):
    with pytest.raises(ValueError, match=words) as found:
        log_density(model, given, 10)
    assert isinstance(found.value, UserError)


def test_gaussian_pixels_can_be_any_number():
    truth = linear_gaussian(2, 6)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    assert (x.abs() > 1).any()
    assert log_density(model, x, 20).log_px.isfinite().all()
    with pytest.raises(UserError, match="must be numbers; image 0 has a pixel of nan"):
        log_density(model, x * torch.nan, 20)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_grey_images_of_a_binary_model_are_taken_with_a_warning_at_the_callers_line(name, model, x):
    with pytest.warns(GreyImages, match="cross-entropy, which is not the log-like") as found:
        FUNCTIONS[name](model, x * 0.5)
    assert {each.filename for each in found} == {__file__}


def test_one_grey_pixel_is_enough_and_binary_images_get_no_warning(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_density(model, x, 20)
        log_density(model, x.numpy(), 20)
    x[0, 0, 1, 1] = 0.999
    with pytest.warns(GreyImages):
        log_density(model, x, 20)


def test_a_loop_says_it_once(model, x):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        for share in (0.1, 0.2, 0.3):
            log_density(model, x * share, 20)
    assert len(found) == 1


@pytest.mark.parametrize("likelihood", ["continuous-bernoulli", "gaussian"])
def test_a_likelihood_of_grey_values_takes_them_without_a_warning(likelihood, model, x):
    config = replace(model.config, likelihood=likelihood)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_density(VAE(config).eval(), x * 0.5, 20)


def test_an_evaluation_without_binarisation_says_it_too(digits):
    config = ModelConfig(hidden_size=8, hidden_layers=1, image_shape=(1, 8, 8))
    with pytest.warns(GreyImages):
        evaluate(VAE(config).eval(), digits, "test", "none", 10, limit=5)
