"""Files given one by one, with names of their own, become the data set that a folder would."""

from pathlib import Path

import numpy as np
import pytest

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    parts_of,
    pictures,
    use_folder,
    write_files,
    write_zip,
)
from vae_core.data.given import GivenFiles
from vae_core.data.own import add_dataset
from vae_core.settings.data_sets import DataError


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def given(folder: Path, files: dict[str, bytes], name: str = "your files") -> GivenFiles:
    """The files under numbers, as an app keeps what a browser sent."""
    folder.mkdir(exist_ok=True)
    pairs = []
    for number, (each, content) in enumerate(files.items()):
        path = folder / f"{number}{Path(each).suffix}"
        path.write_bytes(content)
        pairs.append((each, path))
    return GivenFiles(name, pairs)


def test_they_make_the_same_data_set_as_a_folder(tmp_path: Path) -> None:
    files = class_folders()
    folder = add_dataset("folder", write_files(tmp_path / "pets", files))
    single = add_dataset("single", given(tmp_path / "sent", files))
    assert single.digest == folder.digest
    assert single.classes == ("cats", "dogs")


def test_a_table_beside_them_gives_the_classes(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(60)]
    files = dict(zip(names, map(encoded, pictures(60)), strict=True))
    rows = [f"{name},{'odd' if i % 2 else 'even'}" for i, name in enumerate(names)]
    files["labels.csv"] = "\n".join(["file,label", *rows]).encode()
    assert add_dataset("numbers", given(tmp_path / "sent", files)).classes == ("even", "odd")


def test_a_table_beside_an_archive_gives_the_classes(tmp_path: Path) -> None:
    files = {f"{i}.png": encoded(each) for i, each in enumerate(pictures(60))}
    packed = write_zip(tmp_path / "images.zip", files).read_bytes()
    table = "file,label\n" + "".join(f"{i}.png,{i % 3}\n" for i in range(60))
    sent = given(tmp_path / "sent", {"images.zip": packed, "labels.csv": table.encode()})
    assert add_dataset("packed", sent).classes == ("0", "1", "2")


def test_several_archives_are_a_class_each(tmp_path: Path) -> None:
    packed = {}
    for seed, name in enumerate(("cats.zip", "dogs.zip")):
        files = {f"{i}.png": encoded(each) for i, each in enumerate(pictures(30, seed=seed))}
        packed[name] = write_zip(tmp_path / name, files).read_bytes()
    assert add_dataset("pets", given(tmp_path / "sent", packed)).classes == ("cats", "dogs")


def test_an_array_has_to_be_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pictures(60))
    array = (tmp_path / "a.npy").read_bytes()
    assert sum(add_dataset("one", given(tmp_path / "sent", {"a.npy": array})).sizes.values()) == 60
    both = given(tmp_path / "both", {"a.npy": array, "b.png": encoded(pictures(1)[0])})
    with pytest.raises(DataError, match="give it without other files"):
        add_dataset("two", both)


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "..\\evil.png", "C:/evil.png"])
def test_a_name_that_leads_out_is_refused_and_the_rest_is_kept(name: str, tmp_path: Path) -> None:
    files = class_folders() | {name: encoded(pictures(1, seed=9)[0])}
    info = add_dataset("pets", given(tmp_path / "sent", files))
    assert sum(info.sizes.values()) == 60
    assert name not in parts_of("pets", "train")
    assert not list(tmp_path.rglob("*evil*"))
