"""Foreign images of the user's own: files of any kind, or the test images of a data set."""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vae_core.basics.text import printable
from vae_core.data.datasets import load_dataset
from vae_core.data.decode import ImageError
from vae_core.data.files import iter_files
from vae_core.data.prepare import PrepareOptions, prepare
from vae_core.data.sources.opening import open_source
from vae_core.data.sources.packed import TAR
from vae_core.data.sources.parquet import PARQUET
from vae_core.settings.data_sets import DataError, DatasetInfo, ImageShape, dataset_called

OnRefused = Callable[[str], None]
"""Called with a sentence on each image that cannot be used."""


def source_images(
    source: str, limit: int, shape: ImageShape, dataset: DatasetInfo, on_refused: OnRefused
) -> Tensor:
    """Read the first images of a source, prepared as images to score are: uint8, (N, C, H, W).

    Args:
        source: a path (an image, a folder, an archive, an array or a Parquet file), or else the
            name of a data set, whose test images are taken.
        limit: largest number of images.
        shape: (C, H, W) of the model.
        dataset: facts about the data set that the model was trained on.

    Raises:
        ImageError: if no image can be read.
        DataError: if there is neither such a path nor such a data set.
        DownloadError: if the data set must be downloaded, and cannot.
    """
    try:
        return prepared_images(_contents(source), limit, shape, dataset, on_refused)
    except ImageError as error:
        raise ImageError(f"{printable(source)} contains no image that can be read.") from error


def prepared_images(
    files: Iterable[tuple[str, bytes | ImageError]],
    limit: int,
    shape: ImageShape,
    dataset: DatasetInfo,
    on_refused: OnRefused | None = None,
    options: PrepareOptions | None = None,
) -> Tensor:
    """Prepare the first images among files as images to score are: uint8, (N, C, H, W).

    Args:
        files: names and contents.
        limit, shape, dataset: as for :func:`source_images`.
        options: steps of the preparation; None for the usual ones.

    Raises:
        ImageError: if no image can be read, with the reason for the first file.
    """
    found, why = [], ""
    for name, content in files:
        if len(found) == limit:
            break
        try:
            if isinstance(content, ImageError):
                raise content
            found.append(prepare(content, name, shape, options, dataset).pixels)
        except ImageError as error:
            why = why or f" The first: {error}"
            if on_refused is not None:
                on_refused(f"{name}: {error}")
    if not found:
        raise ImageError(f"None of these images can be read.{why}")
    return torch.stack(found)


def as_file(levels: NDArray[np.uint8]) -> bytes:
    """Write levels (H, W) or (H, W, C) as a PNG file, to be prepared like any file."""
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _contents(source: str) -> Iterator[tuple[str, bytes | ImageError]]:
    path = Path(source)
    if not path.exists() and (info := dataset_called(source)) is not None:
        yield from _of_dataset(info.name)
    elif not path.exists():
        raise DataError(f"{printable(source)} is neither a path that exists nor a data set.")
    elif path.name.lower().endswith((*TAR, PARQUET)):
        yield from _of_source(path)
    else:
        yield from iter_files([path])


def _of_source(path: Path) -> Iterator[tuple[str, bytes | ImageError]]:
    with tempfile.TemporaryDirectory() as scratch:
        for entry in open_source(path, Path(scratch)).entries():
            content = entry.content
            yield entry.name, as_file(content) if isinstance(content, np.ndarray) else content


def _of_dataset(name: str) -> Iterator[tuple[str, bytes | ImageError]]:
    for index, pixels in enumerate(load_dataset(name).split("test")[0]):
        levels = pixels[0] if len(pixels) == 1 else pixels.permute(1, 2, 0)
        yield f"{name}[{index}]", as_file(levels.numpy(force=True))
