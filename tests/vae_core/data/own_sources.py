"""Small sources of images for tests of data sets of one's own."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_core.data import kept
from vae_core.settings.data_sets import Split


def pictures(count: int, shape: tuple[int, ...] = (12, 10), seed: int = 0) -> np.ndarray:
    """Different random images, uint8."""
    return np.random.RandomState(seed).randint(0, 256, (count, *shape)).astype(np.uint8)


def encoded(picture: np.ndarray, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def class_folders(count: int = 60, shape: tuple[int, ...] = (12, 10)) -> dict[str, bytes]:
    """Images in two folders, one third and two thirds."""
    return {
        f"{'cats' if i % 3 else 'dogs'}/{i}.png": encoded(picture)
        for i, picture in enumerate(pictures(count, shape))
    }


def parts_of(name: str, split: Split) -> list[str]:
    """Names of the files of a part, in its order."""
    stored = kept.kept_datasets()[name]
    names = (stored.folder / kept.NAMES_FILE).read_text("utf-8").splitlines()
    sizes, start = stored.info.sizes, 0
    for each in kept.SPLITS:
        if each == split:
            return names[start : start + sizes[each]]
        start += sizes[each]
    raise AssertionError(split)


def use_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Keep the data sets of a test in a folder of its own."""
    monkeypatch.setenv("VAE_DATASETS_DIR", str(folder))
    return folder
