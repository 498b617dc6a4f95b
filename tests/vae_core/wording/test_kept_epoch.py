"""Sentences about the kept epoch."""

import math
from typing import Any

import pytest

from vae_core.wording.kept_epoch import (
    chosen_by,
    criterion_name,
    ended_worse,
    kept_epoch_sentence,
)

ELBO = {"iwae_samples": 1, "beta": 1.0, "free_bits": 0.0, "classes": False}


def record(**changes: Any) -> dict[str, Any]:
    """A run of 200 epochs that kept epoch 117."""
    return {
        "epoch": 117, "value": -22.85, "untrained": -27.1, "last_epoch": 200, "last_value": -22.9,
        "kl_weight": 1.0, "criterion": ELBO, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "ELBO"),
        ({"iwae_samples": 50}, "training objective (IWAE bound with K = 50)"),
        ({"beta": 0.0}, "training objective (ELBO with β = 0)"),
        (
            {"beta": 4.0, "free_bits": 0.5, "classes": True},
            "training objective (ELBO with β = 4, 0.5 nats of free bits and the class term)",
        ),
    ],
)
def test_a_criterion_is_named_by_its_objective(changes: dict[str, Any], name: str) -> None:
    assert criterion_name({**ELBO, **changes}) == name


def test_the_best_epoch_is_said_with_its_criterion() -> None:
    assert kept_epoch_sentence(record()) == (
        "The weights are those of epoch 117 of 200, the best by the ELBO on validation images."
    )


def test_a_weight_that_still_rises_is_said() -> None:
    rising = record(epoch=3, last_epoch=3, kl_weight=1.2, criterion={**ELBO, "beta": 4.0})
    del rising["value"]
    assert not ended_worse(rising)
    assert kept_epoch_sentence(rising) == (
        "The weights are those of epoch 3 of 3, the newest so far: the weight of the KL still "
        "rises (1.2 of 4), so no epoch can be chosen yet."
    )


@pytest.mark.parametrize(
    ("last", "said"), [(-3e9, "−3,000,000,000 nats"), (math.nan, "no number after epoch 200")]
)
def test_a_run_that_ended_worse_than_it_began_is_said(last: float, said: str) -> None:
    astray = record(epoch=0, value=-27.1, last_value=last)
    assert ended_worse(astray)
    text = kept_epoch_sentence(astray)
    assert text.startswith("The weights are those of the untrained model, the best by the ELBO on")
    assert f"The run ended worse than it began: {said}" in text
    assert "−27.10 nats before training" in text


def test_a_run_that_went_astray_after_a_good_epoch_is_said_too() -> None:
    assert "epoch 117 of 200" in kept_epoch_sentence(record(last_value=-30.0))
    assert "ended worse than it began" in kept_epoch_sentence(record(last_value=-30.0))


def test_runs_of_the_version_before_were_chosen_by_the_elbo() -> None:
    assert chosen_by(None) == "the best by the ELBO on validation images"
