"""Photographs of handwritten digits are scored as what they are."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.photographs import first_of_each, photograph
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise
from vae_core.data.prepare import Prepared, prepare
from vae_core.runs.checkpoint import load_model
from vae_core.runs.records import calibration_of
from vae_core.runs.store import find_run
from vae_core.scoring.report import Report, report_images

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

EACH = 4
SHAPE = (1, 28, 28)


@pytest.fixture(scope="module")
def chosen(mnist: Dataset) -> list[int]:
    """Test images, four of each class."""
    return first_of_each(mnist.split("test")[1], EACH)


@pytest.fixture(scope="module")
def prepared(mnist: Dataset, chosen: list[int]) -> list[Prepared]:
    images = mnist.split("test")[0]
    files = [photograph(images[i, 0].numpy(), seed=i) for i in chosen]
    return [prepare(file, "photo.jpg", SHAPE, dataset="mnist") for file in files]


@pytest.fixture(scope="module")
def reports(prepared: list[Prepared]) -> list[Report]:
    run = find_run("pretrained/mnist-classes-d50")
    draw = torch.Generator().manual_seed(0)
    x = binarise(torch.stack([each.pixels for each in prepared]), "dynamic", draw)
    return report_images(load_model(run.folder), x, 200, calibration_of(run))


def test_dark_pen_is_known_for_ink_however_the_light_falls(prepared: list[Prepared]):
    assert all(each.inverted for each in prepared)


def test_what_the_model_sees_is_the_digit_itself(
    mnist: Dataset, chosen: list[int], prepared: list[Prepared]
):
    images = mnist.split("test")[0]
    for index, each in zip(chosen, prepared, strict=True):
        seen, true = each.pixels[0].float() / 255, images[index, 0].float() / 255
        both = torch.stack([seen.flatten(), turned_best(true, seen).flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.7, index


def test_at_least_four_in_five_lie_within_the_middle_of_the_held_out_images(
    reports: list[Report],
):
    percentiles = [report.score.percentile for report in reports]
    inside = [each is not None and 5 <= each <= 95 for each in percentiles]
    assert sum(inside) >= 0.8 * len(reports)


def test_at_least_four_in_five_are_of_the_right_class(
    mnist: Dataset, chosen: list[int], reports: list[Report]
):
    labels = mnist.split("test")[1][chosen].tolist()
    found = [report.classes.best if report.classes else None for report in reports]
    assert sum(a == b for a, b in zip(found, labels, strict=True)) >= 0.8 * len(labels)


def turned_best(true: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """The digit turned as little as the photographs are, as it agrees best with what is seen."""
    picture = Image.fromarray((255 * true).to(torch.uint8).numpy())
    turned = [
        torch.from_numpy(np.array(picture.rotate(angle, Image.Resampling.BILINEAR))) / 255
        for angle in range(-12, 13, 3)
    ]
    return max(turned, key=lambda each: float((each * seen).sum()))


@pytest.mark.parametrize("dark", [False, True])
def test_ink_that_runs_into_the_edge_is_not_taken_for_light(digits: Dataset, dark: bool):
    """Enlarged 8×8 digits fill their picture from edge to edge."""
    wrong = 0
    for image in digits.split("test")[0][:100, 0].numpy():
        picture = Image.fromarray(255 - image if dark else image)
        file = io.BytesIO()
        picture.resize((280, 280), Image.Resampling.NEAREST).save(file, "PNG")
        wrong += prepare(file.getvalue(), "digit.png", SHAPE, dataset="mnist").inverted != dark
    assert wrong <= 4


@pytest.mark.parametrize(("ground", "ink"), [(0.9, 0.2), (0.15, 0.9)], ids=["paper", "board"])
@pytest.mark.parametrize("light", ["slope", "vignette", "lamp"])
def test_polarity_holds_under_uneven_light(mnist: Dataset, light: str, ground: float, ink: float):
    down, right = np.mgrid[-1:1:300j, -1:1:300j]
    fall = {
        "slope": 0.7 + 0.3 * right,
        "vignette": 1 - 0.3 * (down**2 + right**2),
        "lamp": 1.2 - 0.4 * np.hypot(down + 1, right - 1),
    }[light]
    for image in mnist.split("test")[0][:20, 0].numpy():
        drawn = np.zeros((300, 300))
        drawn[80:220, 80:220] = np.asarray(Image.fromarray(image).resize((140, 140))) / 255
        seen = (ground + (ink - ground) * drawn) * fall
        file = io.BytesIO()
        Image.fromarray(np.rint(255 * seen.clip(0, 1)).astype(np.uint8)).save(file, "PNG")
        found = prepare(file.getvalue(), "photo.png", SHAPE, dataset="mnist")
        assert found.inverted == (ground > ink)
