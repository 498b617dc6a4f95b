"""Augmentation changes training images by chance, and nothing else."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vae_core.training.test_trainer import rows, rows_until, training_of
from vae_core.settings.choices import AUGMENTED
from vae_core.training.augmentation import AUGMENTATIONS, flip, shift
from vae_core.training.trainer import EpochDone

SHAPES = [(1, 8, 8), (3, 32, 20), (1, 28, 28)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(shape: tuple[int, int, int], count: int = 64) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=seeded(1), dtype=torch.uint8)


def test_every_choice_has_a_function_and_words() -> None:
    assert list(AUGMENTATIONS) == list(AUGMENTED)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_and_type_stay_and_the_seed_decides(name, shape) -> None:
    change, x = AUGMENTATIONS[name], images(shape)
    before = x.clone()
    first, second = (change(x, seeded()) for _ in range(2))
    assert (first.shape, first.dtype) == (x.shape, torch.uint8)
    assert torch.equal(first, second)
    assert torch.equal(x, before)
    assert torch.equal(first, x) == (name == "none")


def test_a_flip_mirrors_about_half_of_the_images_and_keeps_the_rest() -> None:
    x = images((3, 6, 5), 4000)
    changed = flip(x, seeded())
    mirrored = (changed == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(changed[~mirrored], x[~mirrored])
    assert abs(int(mirrored.sum()) - 2000) < 4 * 1000**0.5  # 4 standard deviations


@pytest.mark.parametrize(("shape", "most"), [((1, 8, 8), (1, 1)), ((1, 64, 28), (4, 2))])
def test_a_shift_moves_by_every_whole_number_of_pixels_up_to_a_sixteenth(shape, most) -> None:
    rows_, columns = np.mgrid[: shape[1], : shape[2]]
    for axis, places, side, largest in ((-2, rows_, shape[1], most[0]),
                                        (-1, columns, shape[2], most[1])):  # fmt: skip
        x = torch.from_numpy(places.astype(np.uint8)).expand(2000, *shape)
        moved = shift(x, seeded()).long()
        middle = moved.select(axis, side // 2).flatten(1)
        assert (middle == middle[:, :1]).all()
        steps = side // 2 - middle[:, 0]
        assert sorted(set(steps.tolist())) == list(range(-largest, largest + 1))
        expected = (torch.arange(side) - steps[:, None]).clamp(0, side - 1)
        across = moved.transpose(-2, -1) if axis == -2 else moved
        assert torch.equal(across[:, 0, 0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("leave_at", [7, 11])
def test_a_training_with_augmentation_goes_on_bit_for_bit(digits, leave_at) -> None:
    whole = rows(training_of(digits, augment="flip-shift"))
    first = training_of(digits, augment="flip-shift")
    done = rows_until(first, leave_at)
    second = training_of(digits, augment="flip-shift")
    second.load_state_dict(first.state_dict())
    assert done + rows(second) == whole


def test_validation_and_the_untrained_model_see_unchanged_images(digits) -> None:
    plain, changed = (training_of(digits, augment=name) for name in ("none", "flip-shift"))
    weights = plain.model.state_dict()
    assert plain._criterion_of(weights) == changed._criterion_of(weights)


def test_training_without_augmentation_draws_what_it_always_drew(digits, monkeypatch) -> None:
    def fail(*_: object) -> Tensor:
        raise AssertionError

    for name in ("flip", "shift", "flip-shift"):
        monkeypatch.setitem(AUGMENTATIONS, name, fail)
    training = training_of(digits, epochs=1)
    x = training.images[:4]
    state = training.generator.get_state()
    assert training.augment(x, training.generator) is x
    assert torch.equal(training.generator.get_state(), state)


def test_the_figures_of_training_say_how_images_were_changed(digits) -> None:
    def done(**settings: str) -> dict:
        events = training_of(digits, epochs=1, **settings).events()
        return next(e.metrics for e in events if isinstance(e, EpochDone))

    row = done(augment="flip")
    assert row["train"]["augment"] == "flip"
    assert "augment" not in row["validation"]
    assert "augment" not in done()["train"]
