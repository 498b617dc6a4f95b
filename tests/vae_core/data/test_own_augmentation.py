"""What training does by chance with the images of a data set: suggested by the files, and kept."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from tests.vae_core.data.own_sources import encoded, pictures, use_folder, write_files
from vae_core import AddOptions, add_dataset, load_dataset
from vae_core.data import kept
from vae_core.data.kept import damaged_datasets, kept_datasets
from vae_core.settings.config import RunConfig
from vae_core.settings.suggested import augmentation_sentence


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def smooth(count: int = 60, side: int = 40) -> dict[str, bytes]:
    """Photograph-like images: soft colours without a ground."""
    small = pictures(count, (4, 4, 3))
    large = [Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC) for each in small]
    return {f"{i}.png": encoded(np.asarray(each)) for i, each in enumerate(large)}


def test_mirroring_is_suggested_for_photographs_and_taken_by_a_run(tmp_path: Path) -> None:
    add_dataset("photos", write_files(tmp_path / "photos", smooth()))
    record = kept_datasets()["photos"].record
    assert record["suggested"]["augment"] == "flip"
    assert any(each.startswith("Mirrored by chance in training") for each in record["reasons"])
    chosen = RunConfig.from_settings({"dataset": "photos"})
    assert chosen.train.augment == "flip"
    assert augmentation_sentence(chosen) == (
        "Training images are mirrored by chance, as the data set suggests."
    )
    overruled = RunConfig.from_settings({"dataset": "photos", "augment": "none"})
    assert overruled.train.augment == "none"
    assert augmentation_sentence(overruled) is None


@pytest.mark.parametrize("prepare", ["auto", "photo", "ink"])
@pytest.mark.parametrize("soft", [False, True])
def test_mirroring_is_never_suggested_for_writing(
    tmp_path: Path, prepare: Literal["auto", "photo", "ink"], soft: bool
) -> None:
    digits = load_dataset("digits").split("test")[0][:60, 0].numpy()
    size = (40, 40) if soft else (24, 24)
    way = Image.Resampling.BICUBIC if soft else Image.Resampling.NEAREST
    large = [np.asarray(Image.fromarray(each).resize(size, way)) for each in digits]
    files = {f"{i}.png": encoded(each) for i, each in enumerate(large)}
    add_dataset("digits8", write_files(tmp_path / "x", files), AddOptions(prepare=prepare))
    record = kept_datasets()["digits8"].record
    assert "augment" not in record["suggested"]
    assert any(each.startswith("Not changed in training") for each in record["reasons"])


def test_the_chosen_augmentation_is_kept(tmp_path: Path) -> None:
    source = write_files(tmp_path / "photos", smooth())
    for name in ("none", "shift", "flip-shift"):
        add_dataset(name, source, AddOptions(augment=name))  # type: ignore[arg-type]
        found = RunConfig.from_settings({"dataset": name}).train.augment
        assert found == name


def test_a_record_that_names_an_unknown_augmentation_is_damaged(tmp_path: Path) -> None:
    add_dataset("photos", write_files(tmp_path / "photos", smooth()))
    path = kept_datasets()["photos"].folder / kept.DATASET_FILE
    text = path.read_text("utf-8").replace('"augment": "flip"', '"augment": "swirl"')
    path.write_text(text, "utf-8")
    assert "Augmentation must be one of" in damaged_datasets()["photos"]
