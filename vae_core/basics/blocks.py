"""Loops over images in blocks, so that memory does not grow with their number.

Every computation that treats images independently goes through here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from vae_core.basics.progress import OnProgress, Step, result_of

R = TypeVar("R")


def map_blocks(
    measure: Callable[..., R], *images: Tensor, at_once: int, on_progress: OnProgress | None = None
) -> R:
    """Call ``measure`` with blocks of images and join what it returns.

    Args:
        measure: takes a block of each of ``images``. It returns a tensor with a row for each image,
            or a tuple or dataclass of such tensors.
        images: tensors with a row for each image.
        at_once: the most images in a block.
        on_progress: called with the share of the images that is done, 0 to 1.

    Returns:
        The same kind of thing for all images. Without any image, ``measure`` sees one empty block.
    """
    return result_of(block_steps(measure, *images, at_once=at_once), on_progress)


def block_steps(measure: Callable[..., R], *images: Tensor, at_once: int) -> Iterator[Step[R]]:
    """:func:`map_blocks` in steps, one for each block."""
    count = len(images[0])
    parts: list[R] = []
    for start in range(0, max(1, count), at_once):
        parts.append(measure(*(each[start : start + at_once] for each in images)))
        done = min(count, start + at_once)
        last = done == count
        yield Step(done / count if count else 1.0, join(parts) if last else None)


def join(parts: Sequence[Any]) -> Any:
    """Join the results of blocks: tensors along their first axis, and tuples and dataclasses of
    tensors field by field; a field that is None stays None."""
    first = parts[0]
    if len(parts) == 1 or first is None:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(parts))
    if is_dataclass(first):
        columns = {f.name: join([getattr(part, f.name) for part in parts]) for f in fields(first)}
        return type(first)(**columns)
    return type(first)(join(column) for column in zip(*parts, strict=True))
