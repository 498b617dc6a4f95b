"""Foreign images, and how well scores tell them from a model's own."""

import zlib

import numpy as np
import pytest
import torch

from vae_core.basics.progress import result_of
from vae_core.scoring import detection
from vae_core.scoring.detection import SCORES, detection_steps, separation
from vae_core.scoring.foreign import KINDS, foreign_images, upscaled_digits


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_images_are_of_the_models_shape_and_follow_from_the_seed(kind, digits):
    images = digits.split("test")[0][:6]
    made = foreign_images(kind, images, seed=3)
    assert made.shape == images.shape
    assert made.dtype == torch.uint8
    assert torch.equal(made, foreign_images(kind, images, seed=3))
    assert not torch.equal(made, images)


@pytest.mark.parametrize(
    "kind", ["noise", "constant", "stripes", "permuted", "scribbles", "shirts"]
)
def test_what_is_drawn_varies_with_the_image_and_the_seed(kind):
    images = torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)
    made = foreign_images(kind, images)
    assert len(made.flatten(1).unique(dim=0)) > 4
    assert not torch.equal(made, foreign_images(kind, images, seed=1))


def test_permuted_and_rotated_images_keep_their_ink(digits):
    images = digits.split("test")[0][:6]
    for kind in ("permuted", "rotated"):
        made = foreign_images(kind, images).flatten(1).sort(1).values
        assert torch.equal(made, images.flatten(1).sort(1).values)
    assert torch.equal(foreign_images("inverted", images) + images, torch.full_like(images, 255))


@pytest.mark.parametrize("size", [(12, 12), (8, 13)])
def test_channels_and_sizes_are_kept(size):
    images = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    assert all(foreign_images(kind, images).shape == images.shape for kind in KINDS)


def test_permuted_images_keep_the_colours_of_their_pixels():
    images = torch.randint(0, 256, (4, 3, 5, 6), dtype=torch.uint8)
    made = foreign_images("permuted", images)
    assert not torch.equal(made, images)
    for before, after in zip(images.flatten(2), made.flatten(2), strict=True):
        assert sorted(before.T.tolist()) == sorted(after.T.tolist())


def test_constant_images_have_colours():
    images = torch.zeros(20, 3, 5, 6, dtype=torch.uint8)
    made = foreign_images("constant", images)
    assert torch.equal(made, made[..., :1, :1].expand_as(made))
    assert made[..., 0, 0].float().std(1).max() > 0


def test_permuted_grey_images_are_the_same_as_in_stored_reports(digits):
    images = digits.split("test")[0][:6]
    rng = np.random.default_rng([3, zlib.crc32(b"permuted")])
    flat = torch.from_numpy(rng.permuted(images.flatten(1).numpy(), axis=1))
    assert torch.equal(foreign_images("permuted", images, seed=3), flat.view(images.shape))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 24, 16)])
def test_blurred_images_keep_the_mean_and_lose_the_detail(shape):
    images = torch.randint(0, 256, (6, *shape), dtype=torch.uint8)
    made = foreign_images("blurred", images).float()
    assert (made.flatten(1).std(1) < 0.6 * images.float().flatten(1).std(1)).all()
    assert abs(float(made.mean() - images.float().mean())) < 8
    flat = torch.full((2, *shape), 77, dtype=torch.uint8)
    assert torch.equal(foreign_images("blurred", flat), flat)


def test_later_kinds_are_drawn_last_so_that_stored_reports_can_be_repeated(digits):
    made = list(detection._foreign(digits, digits.split("test")[0][:2], 0))
    assert made == [*(kind for kind in KINDS if kind != "blurred"), "blurred"]


def test_digits_are_prepared_as_files_are():
    made = upscaled_digits(4, (1, 28, 28), "mnist")
    assert made.shape == (4, 1, 28, 28)
    ink = made[0, 0].float()
    rows = (ink > 30).any(1).nonzero()
    assert 18 <= rows.max() - rows.min() + 1 <= 22, "in the box that ink fills in MNIST"


def test_separation_is_none_by_chance_and_whole_where_scores_lie_apart():
    own = np.arange(100.0)
    apart = separation(own, own + 1000)
    assert (apart.auroc, apart.aupr, apart.fpr_at_95_tpr) == (1, 1, 0)
    same = separation(own, own)
    assert same.auroc == 0.5
    assert same.fpr_at_95_tpr == pytest.approx(0.95, abs=0.02)
    wrong = separation(own, own - 1000)
    assert (wrong.auroc, wrong.fpr_at_95_tpr) == (0, 1)


def test_the_false_positives_are_those_at_the_threshold_that_finds_95_in_100():
    foreign, own = np.arange(100.0), np.array([4.0, 4.5, 5.0, 7.0])
    assert separation(own, foreign).fpr_at_95_tpr == 0.5, "95 foreign images are at 5 or above"


def test_what_is_no_number_is_foreign():
    assert separation(np.arange(5.0), np.array([np.nan, np.inf])).auroc == 1


@pytest.mark.thorough
@pytest.mark.slow
def test_every_kind_is_measured_by_every_score(finished_model, calibration, digits):
    mine = {"mine": digits.split("train")[0][:30]}
    steps = detection_steps(finished_model, digits, calibration, images=60, own_kinds=mine)
    shares: list[float] = []
    report = result_of(steps, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert set(report.kinds) == {*KINDS, "mine"}
    assert report.own_images == 60
    assert report.kinds["mine"].images == 30
    assert report.false_alarms <= 0.15
    for kind in ("noise", "black", "white", "stripes", "inverted", "rotated", "permuted"):
        found = report.kinds[kind]
        assert tuple(found.scores) == SCORES
        assert found.scores["combined"].auroc > 0.95
        assert found.called_unlike > 0.9
    noise = report.kinds["noise"].scores
    assert all(noise[each].auroc > 0.9 for each in SCORES if each != "latent_distance")
    assert abs(report.kinds["mine"].scores["combined"].auroc - 0.5) < 0.25, "they are digits"
