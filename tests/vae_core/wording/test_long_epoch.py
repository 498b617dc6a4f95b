"""The sentence about epochs that would take very long."""

from vae_core.settings.config import RunConfig
from vae_core.wording.long_epoch import LONG_EPOCH, long_epoch_sentence


def test_a_long_epoch_is_said_with_what_makes_it_faster() -> None:
    settings = {"posterior": "iaf", "flow_steps": 64, "iwae_samples": 50, "epochs": 15}
    assert long_epoch_sentence(RunConfig.from_settings(settings), 240.0) == (
        "An epoch of this run would take about 4 min on this computer, and all 15 epochs about "
        "1 h. It would be faster with fewer than 64 flow steps, fewer samples and a smaller "
        "network."
    )


def test_of_a_short_epoch_nothing_is_said() -> None:
    assert long_epoch_sentence(RunConfig(), 0.9 * LONG_EPOCH) is None
