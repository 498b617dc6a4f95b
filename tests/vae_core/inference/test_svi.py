"""A Gaussian fitted from the prior, against the exact answers of the linear-Gaussian model."""

import pytest
import torch

from tests.vae_core.handmade import linear_model, ridge_model
from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.basics.errors import InvalidArgument
from vae_core.inference.fitting import Fit, Schedule
from vae_core.inference.refit import refit
from vae_core.inference.svi import SCHEDULE, svi
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig

pytestmark = pytest.mark.slow


def last(states) -> Fit:
    *_, final = states
    return final


TRUTH = linear_gaussian(d=3, pixels=6)
X, _ = simulated(TRUTH, 3)
PATIENT = Schedule(
    rate=0.05, samples=256, check_samples=16_000, tolerance=1e-4, rates=7, most_steps=2000
)


def check_close(q, expected: GaussianPosterior) -> None:
    """Means within a fiftieth of a standard deviation, covariances within three percent."""
    assert isinstance(q, GaussianPosterior)
    covariance, wanted = (p.scale_tril @ p.scale_tril.mT for p in (q, expected))
    sd = wanted.diagonal(dim1=-2, dim2=-1).sqrt()
    assert ((q.mean - expected.mean).abs() / sd).max() < 0.02
    assert ((covariance - wanted).abs() / (sd[:, None] * sd[:, :, None])).max() < 0.03


def test_full_covariance_finds_the_exact_posterior():
    check_close(
        last(svi(linear_model(TRUTH, "full"), X, "full", PATIENT)).posterior, TRUTH.posterior(X)
    )


def test_mean_field_finds_its_known_optimum():
    fitted = last(svi(linear_model(TRUTH, "full"), X, "mean-field", PATIENT))
    check_close(fitted.posterior, TRUTH.best_mean_field(X))
    known = TRUTH.log_px(X) - TRUTH.mean_field_gap
    assert ((fitted.elbo - known).abs() < 4 * fitted.se + 5e-3).all()


def test_the_exact_posterior_leaves_no_variance():
    fitted = last(svi(linear_model(TRUTH, "full"), X, "full", PATIENT))
    assert (fitted.se < 1e-3).all()
    torch.testing.assert_close(fitted.elbo, TRUTH.log_px(X), rtol=0, atol=2e-3)


@pytest.mark.parametrize("covariance", ["mean-field", "full"])
def test_it_starts_at_the_prior_and_does_not_ask_the_encoder(covariance):
    model = linear_model(TRUTH, "full")
    for parameter in [*model.encoder.parameters(), *model.to_posterior.parameters()]:
        parameter.fill_(torch.nan)
    start = next(svi(model, X, covariance))
    check_close(
        start.posterior,
        GaussianPosterior(torch.zeros_like(X[:, 0, 0, :3]), torch.zeros_like(X[:, 0, 0, :3])),
    )
    assert last(svi(model, X, covariance)).elbo.isfinite().all()


def test_the_elbo_rises_and_is_traced():
    states = list(svi(linear_model(TRUTH, "full"), X, "full"))
    elbos = torch.stack([state.elbo for state in states])
    assert (elbos.diff(dim=0) >= 0).all()
    assert states[-1].trace.shape == (len(states), 3)
    assert states[-1].trace_steps == list(
        range(0, states[-1].trace_steps[-1] + 1, SCHEDULE.check_every)
    )
    torch.testing.assert_close(states[-1].trace.amax(0), states[-1].elbo)


def test_no_image_depends_on_the_others():
    model, x = ridge_model("full"), torch.tensor([0.0, 1.0]).double().view(2, 1, 1, 1)
    together, alone = last(svi(model, x)), last(svi(model, x[1:]))
    for a, b in zip(together.posterior.moments(0), alone.posterior.moments(0), strict=True):
        torch.testing.assert_close(a[1:], b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", [svi, refit])
def test_no_image_is_refused_in_a_sentence(method):
    model = VAE(ModelConfig(image_shape=(1, 4, 4), hidden_size=8, latent_size=2))
    with pytest.raises(InvalidArgument, match="There is no image to fit"):
        next(method(model, torch.zeros(0, 1, 4, 4)))
