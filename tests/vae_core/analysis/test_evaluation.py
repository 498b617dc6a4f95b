"""Figures of an evaluation that say whether its others can be trusted."""

import math

import pytest
import torch

from vae_core.analysis.evaluation import _share_of_heavy_tails


@pytest.mark.parametrize(
    ("pareto_k", "share"),
    [
        ([0.1, 0.7, 0.71, 2.0], 0.5),
        ([0.1, math.inf, math.nan, -math.inf], 0.5),  # no k̂ is no reason to trust
        ([math.nan, math.nan], None),
    ],
)
def test_an_image_without_a_tail_to_measure_counts_as_heavy(pareto_k, share):
    assert _share_of_heavy_tails(torch.tensor(pareto_k)) == share
