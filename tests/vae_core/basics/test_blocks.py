"""Loops over images in blocks, and long computations as iterators of states."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from vae_core.basics.blocks import block_steps, map_blocks
from vae_core.basics.progress import Step, finish, result_of


@dataclass(frozen=True)
class Pair:
    total: Tensor
    twice: tuple[Tensor, Tensor]
    nothing: Tensor | None = None


def pair(x: Tensor) -> Pair:
    return Pair(x.sum(1), (2 * x, x[:, 0]))


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
def test_blocks_make_what_all_images_at_once_make(at_once: int) -> None:
    x = torch.arange(10.0).view(5, 2)
    found, expected = map_blocks(pair, x, at_once=at_once), pair(x)
    assert torch.equal(found.total, expected.total)
    assert all(map(torch.equal, found.twice, expected.twice))
    assert found.nothing is None
    assert torch.equal(map_blocks(torch.add, x, x, at_once=at_once), 2 * x)


def test_no_block_is_larger_than_asked_for_and_no_image_is_no_trouble() -> None:
    sizes: list[int] = []
    map_blocks(lambda x: sizes.append(len(x)) or x, torch.zeros(7, 1), at_once=3)
    assert sizes == [3, 3, 1]
    assert map_blocks(pair, torch.zeros(0, 2), at_once=3).total.shape == (0,)


def test_progress_is_the_share_of_the_images() -> None:
    shares: list[float] = []
    map_blocks(pair, torch.zeros(5, 2), at_once=2, on_progress=shares.append)
    assert shares == [0.4, 0.8, 1.0]
    *before, last = block_steps(pair, torch.zeros(5, 2), at_once=2)
    assert [step.result for step in before] == [None, None]
    assert last.result is not None


def test_a_computation_without_a_result_is_an_error_not_a_none() -> None:
    assert finish([Step(0.5), Step(1.0, "done")]).result == "done"
    with pytest.raises(ValueError, match="without any state"):
        finish([])
    with pytest.raises(ValueError, match="without a result"):
        result_of([Step(0.5)])
