"""Good and bad images are measured as scores are, and files are told apart by their contents."""

import io

import numpy as np
import pytest
from PIL import Image

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.progress import result_of
from vae_core.data.datasets import load_dataset
from vae_core.data.decode import ImageError
from vae_core.data.prepare import PrepareOptions
from vae_core.scoring import groups as module
from vae_core.scoring.detection import SCORES
from vae_core.scoring.files import score_files
from vae_core.scoring.groups import DECIDING, RAW, Groups, groups_steps
from vae_core.scoring.judge import Judge
from vae_core.scoring.operating_point import Costs

PLAIN = PrepareOptions(invert="no", contrast="no", crop="no", centre="no")


def pictures(start: int, count: int, inverted: bool = False) -> list[tuple[str, bytes]]:
    """Files of test digits, or of their negatives."""
    images = load_dataset("digits").split("test")[0][start : start + count, 0].numpy()
    return [
        (f"{start + i}.png", png(255 - each if inverted else each)) for i, each in enumerate(images)
    ]


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def groups(finished_model, calibration) -> Groups:
    good, bad = pictures(0, 25), pictures(25, 22, inverted=True)
    shares: list[float] = []
    steps = groups_steps(finished_model, calibration, good, bad, PLAIN, "digits")
    found = result_of(steps, shares.append)
    assert shares == sorted(shares)
    return found


def test_an_image_has_the_p_value_of_its_score(groups, finished_model, calibration):
    judge = Judge.of(calibration, calibration.binarisation)
    scored = score_files(finished_model, pictures(0, 3), 50, judge, PLAIN, dataset="digits")
    for index, each in enumerate(scored):
        assert each.report is not None
        assert each.report.judgement is not None
        assert groups.good.p_values[index] == each.report.judgement.p_value
        log_px = each.report.judgement.values["log_px"]
        assert groups.good.log_px[index] == pytest.approx(log_px, abs=1e-4)


def test_every_score_has_an_area_and_the_gain_is_over_plain_log_px(groups, calibration):
    areas = groups.areas()
    assert tuple(areas) == SCORES
    assert (areas[RAW].good, areas[RAW].bad) == (25, 22)
    assert groups.gain().value == pytest.approx(areas[DECIDING].value - areas[RAW].value)
    assert areas[DECIDING].value > 0.9
    assert groups.held_out == calibration.images


def test_a_record_says_what_was_chosen_and_with_which_files(groups):
    chosen = groups.choose(Costs(share_bad=0.5))
    point = groups.operating_point(chosen, "2026-01-01T00:00:00+00:00", "Ann", "0" * 16)
    assert (point.false_alarms, point.costs) == (chosen.false_alarms, Costs(share_bad=0.5))
    assert (point.good.images, point.bad.images) == (25, 22)
    assert (point.good.called, point.bad.called) == (chosen.alarms, chosen.detected)
    assert point.good.digest != point.bad.digest


@pytest.mark.slow
def test_copies_count_once_and_the_order_of_files_does_not_matter(finished_model, calibration):
    good, bad = pictures(0, 6), pictures(6, 5)
    mixed = [*reversed(good), ("again.png", good[2][1])]
    one, other = (
        result_of(groups_steps(finished_model, calibration, each, bad, PLAIN, "digits"))
        for each in (good, mixed)
    )
    assert (one.good.copies, other.good.copies) == (0, 1)
    assert one.good.digest == other.good.digest
    assert sorted(one.good.names) == sorted(other.good.names)
    assert sorted(one.good.p_values) == sorted(other.good.p_values)


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_measured(
    finished_model, calibration, monkeypatch
):
    monkeypatch.setattr(module, "MOST_IMAGES", 4)
    bad = [("gone.png", ImageError("gone.png is gone.")), ("a.txt", b"text"), *pictures(6, 9)]
    steps = groups_steps(finished_model, calibration, pictures(0, 2), bad, PLAIN, "digits")
    group = result_of(steps).bad
    assert [name for name, _ in group.failed] == ["gone.png", "a.txt", "The rest"]
    assert group.names == ("6.png", "7.png")


def test_groups_without_an_image_or_with_one_in_common_are_refused(finished_model, calibration):
    good = pictures(0, 2)

    def measured(bad: list[tuple[str, bytes]]) -> Groups:
        return result_of(groups_steps(finished_model, calibration, good, bad, PLAIN, "digits"))

    with pytest.raises(InvalidArgument, match="None of the bad images can be read"):
        measured([])
    with pytest.raises(InvalidArgument, match=r"None of the bad images can be read. .*a\.txt"):
        measured([("a.txt", b"text")])
    with pytest.raises(InvalidArgument, match=r"both good and bad: 1\.png is in both groups"):
        measured([("other.png", good[1][1])])
