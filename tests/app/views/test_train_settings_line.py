"""The line of a run's page with the settings that are not the default."""

import pytest

from app.views.train.settings_line import settings_line
from vae_core.settings.config import RunConfig


def test_a_run_with_default_settings_has_no_line():
    assert settings_line(RunConfig.from_settings({})) == ""


def test_what_the_name_says_is_not_said_again_unless_the_run_has_a_title():
    changed = {"latent_size": 5, "hidden_size": 64, "epochs": 30}
    assert settings_line(RunConfig.from_settings(changed)) == "Hidden units: 64 · Epochs: 30"
    titled = settings_line(RunConfig.from_settings({**changed, "title": "Mine"}))
    assert titled.startswith("Latent size d: 5 · ")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"learning_rate": 0.01}, "Learning rate: 0.01"),
        ({"schedule": "constant"}, "Learning-rate schedule: Constant"),
        ({"decoder_of": "first"}, "Keep the decoder of: first"),
        ({"batch_size": 1024}, "Batch size: 1,024"),
        ({"flow_steps": 9}, ""),  # has no effect without a flow
    ],
)
def test_every_other_setting_is_in_the_line(changed, said):
    assert settings_line(RunConfig.from_settings(changed)) == said
