"""The sentence for a run that may be a mistake."""

import pytest

from vae_core.wording.large_run import large_run_sentence

HOUR, GB = 3600.0, 1e9


@pytest.mark.parametrize(("hours", "needed"), [(0.1, 1), (23.9, 1), (1, 8)])
def test_nothing_is_said_of_a_run_below_a_day_and_half_of_the_memory(
    hours: float, needed: float
) -> None:
    assert large_run_sentence(hours * HOUR, needed * GB, 16 * GB) is None


@pytest.mark.parametrize(
    ("hours", "needed", "said"),
    [
        (25, 1, "This run would take about 25 h on this computer."),
        (1, 9, "This run would take about 9.0 GB of the 16.0 GB of memory."),
        (
            48_000,
            60,
            "This run would take about 2,000 days on this computer and about 60.0 GB of the "
            "16.0 GB of memory.",
        ),
    ],
)
def test_the_sentence_says_what_is_large(hours: float, needed: float, said: str) -> None:
    assert large_run_sentence(hours * HOUR, needed * GB, 16 * GB) == said
