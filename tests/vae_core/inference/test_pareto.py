"""k̂ against ArviZ, and where an estimate is trusted."""

import json
import math

import pytest
import torch

from tests.vae_core.inference.weight_sets import BY_ARVIZ, weight_sets
from vae_core.inference.pareto import (
    FEWEST_FOR_PARETO_K,
    largest_trusted_k,
    pareto_k,
    tail_length,
    trusted,
    trustworthy,
)


def tail_of(log_w: list[float]) -> torch.Tensor:
    """The largest log weights, largest first, and the threshold, (M + 1, 1)."""
    ordered = torch.tensor(log_w, dtype=torch.float64).sort(descending=True).values
    return ordered[: tail_length(len(log_w)) + 1, None]


def test_pareto_k_is_that_of_arviz_for_200_sets_of_weights_degenerate_ones_among_them():
    expected = json.loads(BY_ARVIZ.read_text(encoding="utf-8"))
    found = {name: pareto_k(tail_of(log_w)).item() for name, log_w in weight_sets()}
    assert len(found) == 200
    assert sum(k == math.inf for k in expected.values()) == 16
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_images_of_one_batch_keep_their_own_tails():
    sets = [tail_of(log_w) for name, log_w in weight_sets() if name.endswith("K = 1000")]
    together = pareto_k(torch.cat(sets, 1))
    torch.testing.assert_close(together, torch.cat([pareto_k(each) for each in sets]))


def test_weights_that_one_draw_carries_are_not_trusted():
    """95 weights 15 nats apart: all but 48 underflow beside the largest."""
    k = pareto_k(15 * torch.arange(95, 0, -1.0)[:, None]).item()
    assert k == pytest.approx(173, abs=1)
    assert not trustworthy(k, 1.0, 1000)


def test_pareto_k_is_infinite_where_fewer_than_five_weights_are_left():
    log_w = [0.0, -1.0, -2.0, -3.0] + [-900.0 - i for i in range(30)]
    assert pareto_k(tail_of(log_w)).item() == math.inf


def test_pareto_k_exists_from_21_draws_on():
    assert FEWEST_FOR_PARETO_K == 21
    log_w = torch.randn(21, generator=torch.Generator().manual_seed(0)).tolist()
    assert math.isfinite(pareto_k(tail_of(log_w)).item())
    assert math.isnan(pareto_k(tail_of(log_w[:20])).item())


def test_a_weight_that_is_not_a_number_gives_no_pareto_k():
    assert math.isnan(pareto_k(torch.full((20, 1), torch.nan)).item())


@pytest.mark.parametrize(
    ("samples", "limit"), [(100, 0.5), (200, 0.5654), (1000, 2 / 3), (10**4, 0.7), (10**6, 0.7)]
)
def test_the_limit_of_trust_rises_with_the_number_of_draws(samples, limit):
    assert largest_trusted_k(samples) == pytest.approx(limit, abs=1e-4)
    assert trustworthy(limit - 1e-3, 50, samples)
    assert not trustworthy(limit + 1e-3, 50, samples)


@pytest.mark.parametrize(
    ("k", "ess", "trusted"),
    [(0.2, 29.9, False), (0.2, 30, True), (math.nan, 500, False), (math.inf, 500, False),
     (-math.inf, 500, True)],
)  # fmt: skip
def test_an_estimate_is_trusted_by_its_tail_and_its_effective_sample_size(k, ess, trusted):
    assert trustworthy(k, ess, 1000) is trusted


@pytest.mark.parametrize(("modes", "needed"), [(0, 30.0), (1, 30.0), (3, 90.0)])
def test_each_mode_that_was_found_needs_its_own_effective_samples(modes, needed):
    k, ess = torch.tensor([0.2, 0.2]), torch.tensor([needed - 0.1, needed])
    assert trusted(k, ess, 1000, torch.tensor([modes, modes])).tolist() == [False, True]
