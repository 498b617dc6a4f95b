"""Which of several measured values lead."""

from vae_core.wording.ties import clearly, leaders


def test_what_cannot_be_told_from_the_best_leads_with_it() -> None:
    assert leaders([(1.0, 0.1), (1.2, 0.1), (0.5, 0.1)]) == [1, 0]
    assert leaders([(1.0, 0.01), (1.2, 0.01)]) == [1]


def test_a_difference_is_clear_from_twice_its_error_on() -> None:
    assert clearly(1.01, 0.3, 0.4)  # together 0.5
    assert not clearly(0.99, 0.3, 0.4)
    assert not clearly(-5.0, 0.3)
