"""From figures to a p-value, and from a p-value to words."""

import math

import pytest
import torch

from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.typicality import Reference, limit_at, verdict_of


def drawn(count: int, seed: int = 0) -> torch.Tensor:
    """Correlated figures, as those of images are."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    return shared + torch.randn(count, len(FIGURES), generator=generator, dtype=torch.float64)


def judged(reference: Reference, **changes: float):
    """The judgement of an image in the middle of everything, but for some figures."""
    values = torch.tensor([[changes.get(name, 0.0) for name in FIGURES]], dtype=torch.float64)
    (judgement,) = reference.judge(values)
    return judgement


REFERENCE = Reference(drawn(400))


def test_the_middle_is_typical_and_the_far_end_of_any_figure_is_not():
    assert judged(REFERENCE).verdict == "typical"
    for name in FIGURES:
        far = judged(REFERENCE, **{name: 100.0})
        assert far.decided_by == name
        assert far.p_value < judged(REFERENCE).p_value
        assert far.verdict == "unlike the training data"


def test_only_a_two_sided_figure_is_atypical_at_its_low_end_too():
    for name, figure in FIGURES.items():
        low = judged(REFERENCE, **{name: -100.0})
        assert (low.tails[name] < 0.01) is figure.two_sided


def test_all_ends_at_once_are_as_rare_as_can_be():
    everything = judged(REFERENCE, **dict.fromkeys(FIGURES, 100.0))
    assert everything.p_value == pytest.approx(1 / 401)
    assert everything.verdict == "unlike the training data"


def test_tails_are_counted_with_the_image_itself():
    reference = Reference(torch.arange(9.0).double()[:, None].expand(9, len(FIGURES)))
    for value, one_sided, percentile in (
        (8.0, 0.2, 100 * 8.5 / 9),
        (7.5, 0.2, 100 * 8 / 9),
        (99, 0.1, 100),
    ):
        found = judged(reference, **dict.fromkeys(FIGURES, value))
        for name, figure in FIGURES.items():
            expected = one_sided * (2 if figure.two_sided else 1)
            assert found.tails[name] == pytest.approx(expected)
            assert found.percentiles[name] == pytest.approx(percentile)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.04, 0.1, 0.3])
def test_images_of_the_data_are_flagged_as_often_as_the_level_says(level):
    """Over calibrations, whatever the figures' dependence and ties."""
    flagged = []
    for seed in range(300):
        figures = (4 * drawn(110, seed)).round()  # with ties
        flagged += (Reference(figures[:100]).p_values(figures[100:]) <= level).tolist()
    rate = sum(flagged) / len(flagged)
    error = 3 * math.sqrt(level * (1 - level) / 300)  # those of one calibration go together
    assert 0.5 * level < rate < level + error


def test_the_p_value_is_that_of_its_definition():
    """All held-out images and the new one ranked together, one after the other."""
    figures, new = drawn(30, 3), drawn(8, 4)
    for row, p in zip(new, Reference(figures).p_values(new), strict=True):
        everyone = torch.cat([figures, row[None]])
        means = []
        for each in everyone:
            above, below = (everyone >= each).sum(0) / 31, (everyone <= each).sum(0) / 31
            tails = [
                min(1, 2 * min(high, low)) if figure.two_sided else high
                for figure, high, low in zip(FIGURES.values(), above, below, strict=True)
            ]
            means.append((sum(float(tail) ** -0.5 for tail in tails) / len(FIGURES)) ** -2)
        assert p == pytest.approx(sum(m <= means[-1] + 1e-9 for m in means) / 31)


def test_what_is_not_a_number_is_unlike_the_data():
    nothing = judged(REFERENCE, **dict.fromkeys(FIGURES, math.nan))
    assert nothing.verdict == "unlike the training data"


def test_order_and_company_do_not_matter():
    new = drawn(20, 9)
    together = REFERENCE.p_values(new)
    assert torch.equal(together.flip(0), REFERENCE.p_values(new.flip(0)))
    assert together[3] == REFERENCE.p_values(new[3:4])
    shuffled = Reference(REFERENCE.figures[torch.randperm(400)])
    torch.testing.assert_close(together, shuffled.p_values(new))


def test_words_follow_the_p_value():
    levels = {
        0.5: "typical",
        0.1: "unusual",
        0.05: "unusual",
        0.04: "unlike the training data",
    }
    assert {p: verdict_of(p) for p in levels} == levels


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2])
def test_words_follow_the_false_alarm_rate(rate):
    assert verdict_of(rate, rate) == "unlike the training data"
    assert verdict_of(2.5 * rate, rate) == "unusual"
    assert verdict_of(2.6 * rate, rate) == "typical"
    judgement = REFERENCE.judge(drawn(1, 3), rate)[0]
    assert judgement.verdict == verdict_of(judgement.p_value, rate)


def test_no_images_have_no_verdict():
    assert REFERENCE.judge(torch.empty(0, len(FIGURES))) == []


def test_a_p_value_of_a_tenth_is_a_tenth_and_unusual():
    """One of ten images, counting itself: 0.1 in float64, not the nearest number of float32."""
    nine = Reference(torch.arange(9, dtype=torch.float64)[:, None].expand(-1, len(FIGURES)))
    ends = {name: -50.0 if figure.two_sided else 50.0 for name, figure in FIGURES.items()}
    judgement = judged(nine, **ends)
    assert judgement.p_value == 0.1
    assert judgement.verdict == "unusual"


@pytest.mark.parametrize("rate", [0.01, 0.04, 0.2])
def test_an_image_is_called_unlike_where_its_unusualness_passes_the_limit(rate: float):
    for values in drawn(60, seed=1) * 1.7:
        (image,) = REFERENCE.judge(values[None], rate)
        limit = limit_at(REFERENCE.unusualness(image), rate)
        assert limit is not None
        assert (image.verdict == "unlike the training data") is (image.unusualness > limit + 1e-9)


def test_the_held_out_images_as_unusual_as_an_image_give_its_p_value():
    for values in drawn(20, seed=2):
        (image,) = REFERENCE.judge(values[None])
        held_out = REFERENCE.unusualness(image)
        assert image.as_unusual == int((held_out >= image.unusualness - 1e-9).sum())


def test_with_too_few_held_out_images_no_limit_exists():
    assert limit_at(torch.ones(20, dtype=torch.float64), 0.04) is None
    assert limit_at(torch.ones(24, dtype=torch.float64), 0.04) == 1
