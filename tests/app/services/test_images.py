"""What a page looks at where a data set is, and where it is not."""

from pathlib import Path

import pytest
import torch

from app.services import data, models, showcase
from app.services.images import DRAWS, Images
from app.services.models import Choice

MNIST, DIGITS = "pretrained/mnist-full-d2", "pretrained/digits-full-d2"


@pytest.fixture
def choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Choice]:
    """The models that come with the program, on a computer that has no data set."""
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path))
    return models.choices()


def test_images_of_the_data_are_shown_where_they_are_at_hand(choices: dict[str, Choice]) -> None:
    assert not data.missing(choices[DIGITS])
    images = Images.at_hand(choices[DIGITS])
    assert (images.split, images.count) == ("test", 300)
    assert images.label(7) == f"test image 7: {images.name(7)}"
    assert images.x(3, 2).shape == (2, 1, 8, 8)


def test_the_model_draws_images_where_they_are_not(choices: dict[str, Choice]) -> None:
    assert data.missing(choices[MNIST])
    images = Images.at_hand(choices[MNIST])
    assert (images.split, images.count) == (None, DRAWS)
    assert images.label(7) == "draw 7 of the model"
    both = images.x(3, 2)
    assert both.shape == (2, 1, 28, 28)
    assert set(both.unique().tolist()) == {0, 1}
    assert torch.equal(both[1:], images.x(4))
    assert not torch.equal(both[:1], both[1:])


def test_what_is_computed_of_drawn_images_is_kept_apart_from_test_images(
    choices: dict[str, Choice],
) -> None:
    choice = choices[DIGITS]
    assert Images(choice, "test").identity() != Images(choice, None).identity()


def test_a_model_that_needs_no_download_is_opened_first(choices: dict[str, Choice]) -> None:
    backwards = dict(sorted(choices.items(), reverse=True))
    assert next(iter(backwards)) != DIGITS
    first = models.first_of(backwards)
    assert first is not None
    assert first.run.config.dataset == "digits"
    only = {MNIST: choices[MNIST]}
    assert models.first_of(only) == choices[MNIST]
    assert models.first_of({}) is None


def test_start_opens_readable_images_only_where_they_are_at_hand(
    choices: dict[str, Choice], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert showcase.first_of(choices) == models.first_of(choices)  # nothing needs a download
    monkeypatch.setattr(showcase, "missing", lambda _: False)
    first = showcase.first_of(choices)
    assert first is not None
    assert (first.run.config.dataset, first.run.config.model.latent_size) == ("mnist", 2)
    assert showcase.first_of({}) is None
