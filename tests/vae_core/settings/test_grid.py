"""All combinations of several values of settings."""

import pytest

from vae_core.settings.fields import ConfigError
from vae_core.settings.grid import Grid

DIGITS = {"dataset": "digits", "epochs": 1}


def test_every_combination_has_a_run_and_first_seeds_come_first() -> None:
    grid = Grid.of(DIGITS, {"posterior": ["full", "iaf"], "seed": [3, 4], "latent_size": [2, 8]})
    configs = [point.config for point in grid.points]
    assert len(configs) == 8
    assert [config.train.seed for config in configs] == [3] * 4 + [4] * 4
    assert len(set(configs)) == 8


def test_a_setting_that_has_no_meaning_makes_no_more_runs() -> None:
    grid = Grid.of(DIGITS, {"posterior": ["mean-field", "iaf"], "flow_steps": [2, 4]})
    assert [tuple(point.values.values()) for point in grid.points] == [
        ("mean-field", None), ("iaf", 2), ("iaf", 4),
    ]  # fmt: skip


def test_the_runs_are_named_by_what_tells_them_apart() -> None:
    grid = Grid.of(DIGITS, {"latent_size": [2, 8], "learning_rate": [0.001]})
    assert [point.config.title for point in grid.points] == [
        "digits · d=2 · rate=0.001", "digits · d=8 · rate=0.001",
    ]  # fmt: skip


def test_a_value_given_twice_counts_once() -> None:
    assert len(Grid.of(DIGITS, {"latent_size": [2, 2, 8]}).points) == 2


def test_a_combination_that_cannot_be_trained_is_named() -> None:
    grid = Grid.of(DIGITS, {"gradient": ["pathwise", "score-function-baseline"], "samples": [1]})
    with pytest.raises(ConfigError, match=r"score-function-baseline, L = 1 cannot be trained. The"):
        _ = grid.points


@pytest.mark.parametrize("name", ["dataset", "title", "device", "nonsense", "decoder_of"])
def test_some_settings_cannot_take_several_values(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot take several values"):
        Grid.of(DIGITS, {name: ["a", "b"]})


def test_a_value_out_of_bounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="Latent size d must be from 1 to 512"):
        Grid.of(DIGITS, {"latent_size": [2, 5000]})


def test_too_many_runs_are_refused_before_they_are_counted_out() -> None:
    grid = Grid.of(DIGITS, {n: list(range(1, 101)) for n in ("latent_size", "epochs", "samples")})
    with pytest.raises(ConfigError, match="at most 1,000 runs, not 1,000,000"):
        _ = grid.points


def test_more_values_keep_the_old_combinations() -> None:
    before = Grid.of(DIGITS, {"latent_size": [2, 8]})
    after = before.with_more({"latent_size": [16], "seed": [1]})
    keys = {point.key for point in after.points}
    assert len(keys) == 6
    assert {point.key for point in before.points} <= keys
