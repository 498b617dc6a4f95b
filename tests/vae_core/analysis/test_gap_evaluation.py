"""log p(x) of the gap: from the best proposal of each image."""

import torch

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.analysis.gap_evaluation import _log_px
from vae_core.inference.importance import log_density


def test_above_two_dimensions_log_px_comes_from_the_best_proposal():
    """The encoder's q is four times too narrow; the refined one is nearly the true posterior."""
    truth = linear_gaussian(3, 10)
    model, (x, _) = linear_vae(truth, narrowing=4.0), simulated(truth, 5)
    log_px, error, _ = _log_px(model, x, model.posterior(x), 500, 0)
    assert ((log_px - truth.log_px(x)).abs() <= 4 * error).all()
    encoder = log_density(model, x, 500)
    assert (encoder.log_px < log_px - 0.2).any()
    assert not encoder.trusted.all()


def test_up_to_two_dimensions_it_is_exact_and_says_so():
    truth = linear_gaussian(2, 10)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    log_px, error, reached = _log_px(model, x, model.posterior(x), 10, 0)
    assert reached.all()
    assert ((log_px - truth.log_px(x)).abs() <= error).all()
    assert reached.dtype == torch.bool
