"""Training: reproducible, resumable at any step, and honest when it fails."""

import math
from dataclasses import replace

import pytest
import torch

from vae_core.settings.config import RunConfig, TrainConfig
from vae_core.settings.fields import settings_of
from vae_core.training.trainer import (
    Diverged,
    EpochDone,
    Finished,
    NoImages,
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


def rows_until(training: Training, step: int) -> list[dict]:
    """Train for this many steps; return the rows of the epochs that ended."""
    done, steps = [], 0
    for event in training.events():
        if isinstance(event, EpochDone):
            done.append({k: v for k, v in event.metrics.items() if k != "seconds"})
        steps += isinstance(event, Step)
        if steps == step:
            break
    return done


@pytest.mark.slow
@pytest.mark.parametrize("leave_at", [1, 7, 11, 12, 25])  # 11 steps an epoch
def test_leaving_at_any_step_and_going_on_changes_nothing(digits, leave_at, tmp_path):
    whole = rows(training_of(digits))
    first = training_of(digits)
    done = rows_until(first, leave_at)
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
    training = training_of(digits, epochs=100, patience=2, learning_rate=1e-7, kl_warmup_epochs=0)
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


@pytest.mark.parametrize("beta", [0.0, 0.1, 4.0])
def test_the_kl_warms_up_to_beta_and_its_help_says_so(beta):
    settings = TrainConfig(beta=beta, kl_warmup_epochs=4)
    assert [kl_weight_at(settings, done) for done in (0, 2, 4, 9)] == [0, beta / 2, beta, beta]
    (warmup,) = (each for each in settings_of(TrainConfig) if each.name == "kl_warmup_epochs")
    assert "rises from 0 to β over these epochs" in warmup.help


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


# ---- the kept epoch


def epochs_of(training: Training) -> list[EpochDone]:
    return [event for event in training.events() if isinstance(event, EpochDone)]


def same_weights(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_newest_epoch_is_kept_while_the_weight_of_the_kl_rises(digits):
    training = training_of(digits, epochs=8, kl_warmup_epochs=3, beta=4.0)
    kept = [event.metrics["kept"]["epoch"] for event in epochs_of(training)]
    assert kept[:2] == [1, 2]  # 8 epochs: the weight rises for 2
    assert (
        "value"
        not in epochs_of(training_of(digits, epochs=8, kl_warmup_epochs=3))[0].metrics["kept"]
    )


@pytest.mark.parametrize("settings", [{}, {"iwae_samples": 5}, {"beta": 0.0}, {"beta": 4.0}])
def test_the_kept_epoch_has_the_best_criterion_of_all_with_the_full_weight(digits, settings):
    training = training_of(digits, epochs=8, kl_warmup_epochs=2, learning_rate=0.02, **settings)
    done = epochs_of(training)
    candidates = {0: done[0].metrics["kept"]["untrained"]}
    candidates |= {e.epoch: e.metrics["criterion"]["value"] for e in done[1:]}
    best = max(candidates, key=candidates.__getitem__)
    assert training.progress.best_epoch == best
    assert done[-1].metrics["kept"] == {
        "epoch": best, "value": candidates[best], "untrained": candidates[0]
    }  # fmt: skip


def test_the_untrained_model_is_kept_where_training_made_it_worse(digits):
    training = training_of(digits, epochs=2, learning_rate=1.0)
    untrained = {name: value.clone() for name, value in training.model.state_dict().items()}
    done = epochs_of(training)
    assert training.progress.best_epoch == 0
    assert done[-1].metrics["criterion"]["value"] < done[-1].metrics["kept"]["untrained"]
    assert same_weights(training.model.state_dict(), untrained)


def test_early_stop_does_not_count_epochs_in_which_the_weight_of_the_kl_rises(digits):
    training = training_of(
        digits, epochs=100, kl_warmup_epochs=5, patience=2, learning_rate=1.0, iwae_samples=2
    )
    last = list(training.events())[-1]
    assert last == Finished(6, "no better validation objective")


@pytest.mark.slow
@pytest.mark.parametrize("leave_at", [1, 12, 30])  # 11 steps an epoch
def test_a_run_of_another_objective_goes_on_bit_for_bit(digits, leave_at, tmp_path):
    settings = {"epochs": 4, "iwae_samples": 5, "free_bits": 2.0, "kl_warmup_epochs": 2}
    whole = rows(training_of(digits, **settings))
    first = training_of(digits, **settings)
    done = rows_until(first, leave_at)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = training_of(digits, **settings)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert done + rows(second) == whole


def test_the_last_weights_are_there_beside_the_kept_ones(digits):
    training = training_of(digits, epochs=2, learning_rate=1.0)
    epochs_of(training)
    assert training.last is not None
    assert not same_weights(training.last, training.best)
    again = training_of(digits, epochs=2, learning_rate=1.0)
    again.load_state_dict(training.state_dict())
    assert list(again.events()) == [Finished(2, "all epochs done")]
    assert again.last is not None
    assert same_weights(again.last, training.last)
    assert same_weights(again.model.state_dict(), training.best)


@pytest.mark.parametrize("settings", [{}, {"iwae_samples": 5}])
def test_a_state_of_the_version_before_goes_on_with_the_criterion(digits, settings):
    settings = {"epochs": 4, "kl_warmup_epochs": 0, **settings}
    whole = rows(training_of(digits, **settings))
    first = training_of(digits, **settings)
    next(e for e in first.events() if isinstance(e, EpochDone) and e.epoch == 2)
    state = first.state_dict()
    progress = {
        name: state["progress"][name] for name in ("epoch", "step", "seconds", "best_epoch")
    }
    second = training_of(digits, **settings)
    second.load_state_dict({**state, "progress": {**progress, "best_elbo": -20.0}})
    assert rows(second) == whole[2:]


# ---- what is said when something is wrong


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({}, "A smaller learning rate or a lower gradient clip usually helps."),
        ({"gradient_clip": 0.0}, "A smaller learning rate or a gradient clip usually helps."),
        (
            {"kl_warmup_epochs": 0},
            "A smaller learning rate, a lower gradient clip or KL warm-up usually helps.",
        ),
    ],
)
def test_a_loss_that_is_no_number_at_once_names_no_kept_weights_and_helps(digits, settings, advice):
    training = training_of(digits, **settings)
    next(training.model.decoder.parameters()).data[0, 0] = math.nan
    with pytest.raises(Diverged) as raised:
        list(training.events())
    assert str(raised.value) == (
        "The loss was no longer a number in epoch 1. No epoch had ended, so there are no trained "
        f"weights. {advice}"
    )


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_data_set_without_images_to_train_on_or_to_choose_by_is_refused(digits, split):
    empty = replace(digits, splits={**digits.splits, split: slice(0, 0)})
    with pytest.raises(NoImages, match=f"The data set digits has no {split} images"):
        training_of(empty)


@pytest.mark.slow
def test_a_run_of_another_kind_of_device_goes_on_with_other_random_numbers(digits):
    first = training_of(digits)
    rows_until(first, 12)
    state = {**first.state_dict(), "generator": torch.zeros(16, dtype=torch.uint8)}  # as of a GPU
    again, twice = training_of(digits), training_of(digits)
    for training in (again, twice):
        training.load_state_dict(state)
    found = rows(again)
    assert [row["epoch"] for row in found] == [2, 3]
    assert found == rows(twice)
