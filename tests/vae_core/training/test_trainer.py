"""Training: reproducible, resumable at any step, and honest when it fails."""

import math

import pytest
import torch

from vae_core.settings.config import RunConfig, TrainConfig
from vae_core.training.trainer import (
    Diverged,
    EpochDone,
    Finished,
    Step,
    Training,
    kl_weight_at,
    learning_rate_at,
)

QUICK = {"epochs": 3, "hidden_size": 32, "importance_every": 2}


def rows(training: Training) -> list[dict]:
    """The metrics of the epochs still to come, without the clock."""
    metrics = [event.metrics for event in training.events() if isinstance(event, EpochDone)]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in metrics]


def training_of(digits, **settings) -> Training:
    return Training(RunConfig.from_settings({**QUICK, **settings}), digits)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["full", "iaf"])
def test_the_same_seed_gives_the_same_figures_and_another_seed_others(digits, family):
    first, second, other = (
        rows(training_of(digits, posterior=family, seed=seed)) for seed in (3, 3, 4)
    )
    assert first == second
    assert [r["validation"]["elbo"] for r in first] != [r["validation"]["elbo"] for r in other]


@pytest.mark.slow
@pytest.mark.parametrize("leave_at", [1, 7, 11, 12, 25])  # 11 steps an epoch
def test_leaving_at_any_step_and_going_on_changes_nothing(digits, leave_at, tmp_path):
    whole = rows(training_of(digits))
    first = training_of(digits)
    done, steps = [], 0
    for event in first.events():
        if isinstance(event, EpochDone):
            done.append({k: v for k, v in event.metrics.items() if k != "seconds"})
        steps += isinstance(event, Step)
        if steps == leave_at:
            break
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = training_of(digits, seed=0)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert done + rows(second) == whole


@pytest.mark.slow
def test_the_elbo_improves_and_the_best_weights_are_kept(digits):
    training = training_of(digits, epochs=8, learning_rate=3e-3, hidden_size=200)
    events = [e for e in training.events() if isinstance(e, EpochDone)]
    elbos = [e.metrics["validation"]["elbo"] for e in events]
    assert elbos[-1] > elbos[0] + 0.5
    assert [e.improved for e in events] == [
        elbo > max(elbos[:i], default=-math.inf) for i, elbo in enumerate(elbos)
    ]
    for name, tensor in training.model.state_dict().items():
        assert torch.equal(tensor, training.best[name])


def test_a_nan_stops_training_with_the_last_good_weights(digits):
    training = training_of(digits, epochs=50)
    events = training.events()
    next(e for e in events if isinstance(e, EpochDone) and e.epoch == 2)
    next(training.model.decoder.parameters()).data[0, 0] = math.nan
    with pytest.raises(Diverged, match=r"in epoch 3\. The weights of epoch 2 were kept\."):
        list(events)
    assert all(torch.isfinite(w).all() for w in training.model.state_dict().values())
    assert training.progress.best_epoch == 2


def test_early_stop_waits_for_its_patience(digits):
    training = training_of(
        digits, epochs=100, patience=2, learning_rate=1e-7, kl_warmup_epochs=0
    )
    training.progress.best_value = 0.0  # out of reach: no epoch improves on it
    last = list(training.events())[-1]
    assert last == Finished(2, "no better validation ELBO")


def test_rows_carry_their_protocol_and_count_epochs_from_one(digits):
    found = rows(training_of(digits))
    assert [row["epoch"] for row in found] == [1, 2, 3]
    assert [("importance" in row) for row in found] == [False, True, True]
    for row in found:
        for part, split, images in (("train", "train", 1297), ("validation", "validation", 200)):
            about = row[part]
            assert about["split"] == split
            assert about["images"] == images
            assert about["binarisation"] == "dynamic"
            assert about["samples"] == 1
            assert math.isclose(about["elbo"], about["log_px_z"] - about["kl"], abs_tol=1e-3)
        assert len(row["validation"]["kl_by_dimension"]) == 2
    assert found[-1]["importance"]["log_px"] > found[-1]["importance"]["elbo"]


@pytest.mark.slow
def test_bfloat16_reaches_the_same_quality(digits):
    elbos = [
        rows(training_of(digits, epochs=10, learning_rate=5e-3, precision=precision))[-1]
        for precision in ("float32", "bfloat16")
    ]
    assert math.isclose(*(row["validation"]["elbo"] for row in elbos), abs_tol=0.5)


@pytest.mark.parametrize("form", ["kl", "joint"])
@pytest.mark.parametrize("samples", [1, 4])
def test_both_forms_of_the_elbo_train(digits, form, samples):
    found = rows(training_of(digits, elbo_form=form, samples=samples, learning_rate=5e-3))
    assert found[-1]["validation"]["elbo"] > found[0]["validation"]["elbo"]


def test_the_kl_warms_up_in_a_straight_line():
    settings = TrainConfig(kl_warmup_epochs=4)
    assert [kl_weight_at(settings, done) for done in (0, 1, 4, 9)] == [0, 0.25, 1, 1]
    assert kl_weight_at(TrainConfig(kl_warmup_epochs=0), 0) == 1
    assert kl_weight_at(TrainConfig(epochs=8, kl_warmup_epochs=100), 1) == 0.5  # a quarter of 8


def test_the_learning_rate_falls_to_a_twentieth():
    settings = TrainConfig(epochs=10, learning_rate=1.0)
    assert math.isclose(learning_rate_at(settings, 0), 1.0)
    assert math.isclose(learning_rate_at(settings, 5), 0.525)
    assert math.isclose(learning_rate_at(settings, 10), 0.05)
    constant = TrainConfig(schedule="constant", learning_rate=0.5)
    assert learning_rate_at(constant, 7) == 0.5


def test_a_run_out_of_patience_stays_so_when_it_is_taken_up_again(digits):
    settings = {"epochs": 100, "patience": 1, "learning_rate": 1e-7, "kl_warmup_epochs": 0}
    first = training_of(digits, **settings)
    first.progress.best_value = 0.0  # out of reach
    list(first.events())
    second = training_of(digits, **settings)
    second.load_state_dict(first.state_dict())
    assert list(second.events()) == [Finished(1, "no better validation ELBO")]
