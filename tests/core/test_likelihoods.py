"""log p(x|z) against torch.distributions, where probabilities would underflow too."""

import torch
from torch.distributions import Bernoulli, Independent

from vae_core.likelihoods import bernoulli_log_likelihood


def test_it_is_the_log_probability_of_independent_bernoullis(generator):
    logits = 3 * torch.randn(5, 2, 30, generator=generator, dtype=torch.float64)
    x = (torch.rand(2, 30, generator=generator) < 0.5).double()
    expected = Independent(Bernoulli(logits=logits), 1).log_prob(x)
    torch.testing.assert_close(bernoulli_log_likelihood(x, logits), expected)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[-200.0, 200.0]]])
    assert bernoulli_log_likelihood(torch.tensor([[1.0, 0.0]]), logits).item() == -400.0
    assert bernoulli_log_likelihood(torch.tensor([[0.0, 1.0]]), logits).item() == 0.0


def test_the_probabilities_of_all_images_sum_to_one():
    logits = torch.tensor([0.3, -1.2, 2.0, 0.0], dtype=torch.float64)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    total = bernoulli_log_likelihood(images, logits.expand(1, 16, 4)).logsumexp(1)
    torch.testing.assert_close(total, torch.zeros(1, dtype=torch.float64))
