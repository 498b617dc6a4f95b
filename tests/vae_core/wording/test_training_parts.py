"""Sentences about the parts of a training."""

from vae_core.settings.config import RunConfig, TrainConfig
from vae_core.wording.training_parts import beyond_sentence, parts_sentence, training_parts


def test_a_training_of_one_part_needs_no_sentence():
    assert parts_sentence(RunConfig()) is None
    assert training_parts(RunConfig()) is None
    assert parts_sentence(RunConfig.from_settings({"epochs": 3, "schedule_epochs": 9})) is None


def test_one_epoch_is_not_called_several():
    config = RunConfig.from_settings({"epochs": 2, "schedule_epochs": 1, "schedule": "constant"})
    assert parts_sentence(config) == (
        "Training has two parts: epoch 1 with its schedule, then epoch 2 at the constant "
        "learning rate 0.002."
    )


def test_weights_to_start_from_are_named_first():
    config = RunConfig.from_settings({"start_from": "first", "epochs": 4, "schedule_epochs": 2})
    said = parts_sentence(config) or ""
    assert said.startswith("Training starts from the weights of first. Training has two")


def test_the_rate_of_added_epochs_follows_the_schedule():
    assert "0.0001 (a twentieth of the first" in beyond_sentence(TrainConfig())
    assert "last learning rate, 0.002, and" in beyond_sentence(TrainConfig(schedule="constant"))
