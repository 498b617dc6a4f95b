"""Adversarial inference against a posterior that is known, and one that is curved."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.vae_core.handmade import linear_model, ridge_model
from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.inference.avb import AvbSettings, AvbState, avb
from vae_core.inference.quadrature import posterior_grid
from vae_core.inference.svi import svi


def last(states):
    *_, final = states
    return final


TRUTH = linear_gaussian(d=2, pixels=4)
X, _ = simulated(TRUTH, 1)


@pytest.fixture(scope="module")
def states() -> list[AvbState]:
    settings = AvbSettings(steps=600, closing_steps=100)
    return list(avb(linear_model(TRUTH, "full"), X, settings))


@pytest.mark.thorough
def test_its_draws_have_the_mean_and_covariance_of_a_gaussian_posterior(states):
    exact, z = TRUTH.posterior(X), states[-1].z
    covariance = (exact.scale_tril @ exact.scale_tril.mT)[0]
    sd = covariance.diagonal().sqrt()
    assert ((z.mean(0) - exact.mean[0]) / sd).abs().max() < 0.2
    assert ((z.T.cov() - covariance) / (sd[:, None] * sd)).abs().max() < 0.25


@pytest.mark.thorough
def test_its_estimate_of_the_elbo_is_near_the_true_one(states):
    """A Gaussian posterior can be reached, so the ELBO is log p(x)."""
    assert abs(states[-1].elbo - TRUTH.log_px(X).item()) < 0.1
    assert states[-1].shape_kl < 0.1
    assert abs(states[-1].accuracy - 0.5) < 0.1


@pytest.mark.thorough
@pytest.mark.slow
def test_it_bends_where_a_gaussian_cannot():
    x = torch.zeros(1, 1, 1, 1).double()
    model = ridge_model("full")
    grid = posterior_grid(model, x)
    state, gaussian = last(avb(model, x)), last(svi(model, x))
    assert gaussian.elbo.item() < grid.log_px - 0.3
    assert abs(state.elbo - grid.log_px) < 0.2
    assert state.shape_kl > 0.2
    mean, covariance = grid.moments()
    sd = covariance.diagonal().sqrt()
    assert ((state.z.mean(0) - mean) / sd).abs().max() < 0.2
    assert ((state.z.T.cov() - covariance) / (sd[:, None] * sd)).abs().max() < 0.3


@pytest.mark.slow
def test_progress_is_reported_and_the_same_seed_gives_the_same_draws():
    settings = AvbSettings(steps=30, closing_steps=10, report_every=10, report_draws=7)
    model = linear_model(TRUTH, "full")
    first, again = (list(avb(model, X, settings, seed=3)) for _ in range(2))
    assert [state.step for state in first] == [10, 20, 30, 40]
    assert first[-1].share == 1.0
    assert first[-1].z.shape == (7, 2)
    assert torch.equal(first[-1].z, again[-1].z)


def test_it_takes_one_image():
    with pytest.raises(ValueError, match="one image"):
        next(avb(linear_model(TRUTH, "full"), X.expand(2, -1, -1, -1)))


@pytest.mark.slow
def test_the_same_seed_begins_alike_whatever_other_threads_draw():
    stop, before = threading.Event(), sys.getswitchinterval()

    def draw() -> None:
        while not stop.is_set():
            torch.randn(8)

    def start() -> float:
        return next(avb(linear_model(TRUTH, "full"), X, AvbSettings(steps=1, closing_steps=0))).elbo

    alone = start()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(1) as pool:
            drawing = pool.submit(draw)
            found = {start() for _ in range(40)}
            stop.set()
            drawing.result()
    finally:
        stop.set()
        sys.setswitchinterval(before)
    assert found == {alone}
