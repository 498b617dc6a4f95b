"""Foreign images of the user's own come from files of any kind, or from a data set by its name."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    pictures,
    use_folder,
    write_files,
    write_zip,
)
from vae_core import add_dataset, load_dataset
from vae_core.data.decode import ImageError
from vae_core.scoring.foreign_sources import source_images
from vae_core.settings.data_sets import DataError, DatasetInfo

SHAPE = (3, 24, 16)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """A data set of colour images, not square."""
    use_folder(monkeypatch, tmp_path / "kept")
    return add_dataset("own", write_files(tmp_path / "own", class_folders(shape=(24, 16, 3))))


def read(source: object, own: DatasetInfo, limit: int = 5) -> torch.Tensor:
    refused: list[str] = []
    found = source_images(str(source), limit, SHAPE, own, refused.append)
    assert found.dtype == torch.uint8
    assert found.shape[1:] == SHAPE
    return found


@pytest.mark.parametrize("name", ["digits", "own"])
def test_the_test_images_of_a_data_set_are_brought_to_the_size(own: DatasetInfo, name: str) -> None:
    found = read(name, own)
    assert len(found) == 5
    if name == "own":
        assert torch.equal(found, load_dataset("own").split("test")[0][:5])


def test_every_kind_of_source_gives_its_images(own: DatasetInfo, tmp_path: Path) -> None:
    images = pictures(7, (24, 16, 3), seed=4)
    files = {f"{i}.png": encoded(each) for i, each in enumerate(images)}
    folder = write_files(tmp_path / "bad", files)
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        tar.add(folder, "bad")
    np.save(tmp_path / "bad.npy", images)
    expected = torch.from_numpy(images).permute(0, 3, 1, 2)
    for source in (
        folder,
        write_zip(tmp_path / "bad.zip", files),
        tmp_path / "bad.tar.gz",
        tmp_path / "bad.npy",
    ):
        assert torch.equal(read(source, own, 100), expected)
    assert torch.equal(read(folder / "3.png", own), expected[3:4])


def test_what_cannot_be_read_is_said_and_the_rest_is_taken(
    own: DatasetInfo, tmp_path: Path
) -> None:
    files = {"a.png": b"no image", "b.png": encoded(pictures(1, (24, 16, 3))[0])}
    said: list[str] = []
    found = source_images(str(write_files(tmp_path / "x", files)), 9, SHAPE, own, said.append)
    assert len(found) == 1
    assert len(said) == 1
    assert "a.png is not an image" in said[0]
    with pytest.raises(ImageError, match="contains no image that can be read"):
        read(write_files(tmp_path / "y", {"a.png": b"no"}), own)


def test_what_is_neither_a_path_nor_a_data_set_is_named(own: DatasetInfo) -> None:
    with pytest.raises(DataError, match="nowhere is neither a path that exists nor a data set"):
        read("nowhere", own)
