"""A data set of one's own can be renamed, exported, and taken back as it was."""

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.vae_core.data.own_sources import class_folders, use_folder, write_files
from vae_core import AddOptions, add_dataset, load_dataset
from vae_core.basics.progress import finish
from vae_core.data.catalogue import at_hand
from vae_core.data.exchange import export_dataset
from vae_core.data.given import GivenFiles
from vae_core.data.kept import damaged_datasets, kept_datasets, remove_dataset
from vae_core.data.own import add_dataset_steps
from vae_core.data.renaming import rename_dataset
from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import DataError, find_dataset

HIDDEN = ".elbo-room/dataset.json"


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def pets(tmp_path: Path, name: str = "pets", **about: tuple[int, ...]) -> None:
    add_dataset(name, write_files(tmp_path / "pets", class_folders(**about)))  # type: ignore[arg-type]


def changed(archive: Path, name: str, content: bytes | None) -> Path:
    """Copy an archive with other content of one file, or without it."""
    target = archive.with_name("changed.zip")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for each in old.namelist():
            if each != name:
                new.writestr(each, old.read(each))
            elif content is not None:
                new.writestr(each, content)
    return target


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    pets(tmp_path)
    return export_dataset("pets", tmp_path / "pets.zip")


# ---- renaming


def test_a_renamed_data_set_is_found_by_both_names_and_listed_by_one(tmp_path: Path) -> None:
    pets(tmp_path)
    before = load_dataset("pets").images
    info = rename_dataset("pets", "animals")
    assert (info.name, info.title, info.former_names) == ("animals", "animals 12×10", ("pets",))
    assert list(kept_datasets()) == ["animals"]
    for name in ("pets", "animals"):
        assert at_hand(name)
        assert find_dataset(name).name == "animals"
        assert np.array_equal(load_dataset(name).images, before)
    assert RunConfig.from_settings({"dataset": "pets"}).dataset == "animals"


def test_a_title_of_its_own_stays(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    add_dataset("pets", folder, AddOptions(title="Cats, dogs"))
    assert rename_dataset("pets", "animals").title == "Cats, dogs"


def test_renaming_back_works_and_keeps_every_name(tmp_path: Path) -> None:
    pets(tmp_path)
    rename_dataset("pets", "animals")
    assert rename_dataset("animals", "pets").former_names == ("animals",)
    assert rename_dataset("pets", "PETS").former_names == ("animals", "pets")


@pytest.mark.parametrize(
    ("name", "new", "reason"),
    [
        ("none", "x", "no data set of your own called 'none'"),
        ("digits", "x", "no data set of your own called 'digits'"),
        ("pets", "pets", "called 'pets' already"),
        ("pets", "mnist", "built-in"),
        ("pets", "others", "already"),
        ("pets", "OTHERS", "already"),
        ("pets", "a/b", "cannot be the name"),
        ("pets", "", "cannot be the name"),
        ("pets", "before", "was called 'before'"),
    ],
)
def test_a_name_that_cannot_be_given_is_refused(
    tmp_path: Path, name: str, new: str, reason: str
) -> None:
    pets(tmp_path)
    pets(tmp_path, "before")
    rename_dataset("before", "others")
    with pytest.raises(DataError, match=reason):
        rename_dataset(name, new)
    assert sorted(kept_datasets()) == ["others", "pets"]


def test_a_former_name_is_not_given_to_other_images(tmp_path: Path) -> None:
    pets(tmp_path)
    rename_dataset("pets", "animals")
    with pytest.raises(DataError, match="'animals' was called 'pets' before"):
        pets(tmp_path)
    remove_dataset("animals")
    pets(tmp_path)


def test_an_interrupted_renaming_leaves_the_data_set_under_its_former_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets(tmp_path)

    def killed(*_: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            rename_dataset("pets", "animals")
    assert (list(kept_datasets()), damaged_datasets()) == (["pets"], {})
    assert load_dataset("pets").info.name == "pets"
    run = create_run(tmp_path / "run", RunConfig.from_settings({"dataset": "pets"}), "paused")
    assert Run.open(run.folder).config.info.name == "pets"
    assert rename_dataset("pets", "animals").name == "animals"
    assert len(load_dataset("animals").images) == 60


# ---- exporting and taking back


@pytest.mark.parametrize("shape", [(12, 10), (9, 9, 3)])
def test_an_exported_data_set_is_the_same_when_it_is_added(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    pets(tmp_path, shape=shape)
    before = kept_datasets()["pets"]
    archive = export_dataset("pets", tmp_path / "pets.zip")
    info = add_dataset("again", archive)
    assert (info.digest, info.sizes) == (before.info.digest, before.info.sizes)
    after = kept_datasets()["again"]
    for old, new in zip(before.load(), after.load(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (after.folder / "names.txt").read_text() == (before.folder / "names.txt").read_text()
    for key in ("reasons", "notes", "rejected", "preparation", "suggested", "classes", "split"):
        assert after.record[key] == before.record[key]
    assert after.record["source"].startswith("pets.zip, the exported data set pets; before: pets")


def test_files_given_in_a_browser_are_taken_back_too(archive: Path) -> None:
    given = GivenFiles("pets.zip", (("pets.zip", archive),))
    finish(add_dataset_steps("again", given))
    assert find_dataset("again").digest == find_dataset("pets").digest


def test_any_program_can_read_the_images_and_the_table(archive: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        table = list(csv.DictReader(io.TextIOWrapper(files.open("labels.csv"), "utf-8")))
        images = [name for name in files.namelist() if name.endswith(".png")]
    assert [row["file"] for row in table] == images
    assert {row["label"] for row in table} == {"cats", "dogs"}
    assert all(row["name"].startswith(f"{row['label']}/") for row in table)


def test_with_other_choices_the_images_become_another_data_set(archive: Path) -> None:
    info = add_dataset("small", archive, AddOptions(size="8x8"))
    assert info.image_shape == (1, 8, 8)
    assert info.classes == ("cats", "dogs")
    assert info.sizes == find_dataset("pets").sizes
    assert kept_datasets()["small"].record["rejected"] == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (HIDDEN, b"{", "damaged"),
        (HIDDEN, b"[]", "another version"),
        (HIDDEN, b"[" * 100_000, "damaged"),
        (".elbo-room/labels.npy", b"no array", "others than those"),
        (".elbo-room/labels.npy", None, "no item"),
        (".elbo-room/names.txt", None, "no item"),
        ("train/000000.png", None, "does not belong there"),
        ("train/000000.png", b"text", "not an image"),
        ("test/000005.png", None, "is missing"),
    ],
)
def test_a_damaged_export_is_refused_and_nothing_is_kept(
    archive: Path, kept_in: Path, name: str, content: bytes | None, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        add_dataset("again", changed(archive, name, content))
    assert [each.name for each in kept_in.iterdir()] == ["pets"]


def test_other_pixels_or_facts_are_noticed(archive: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        record = json.loads(files.read(HIDDEN))
        other = files.read("train/000001.png")
    record["image_shape"] = [1, 8, 8]
    for name, content, reason in (
        ("train/000000.png", other, "others than those it was made with"),
        (HIDDEN, json.dumps(record).encode(), "another size"),
    ):
        with pytest.raises(DataError, match=reason):
            add_dataset("again", changed(archive, name, content))


def test_texts_of_a_record_from_elsewhere_are_made_harmless(archive: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        record = json.loads(files.read(HIDDEN))
    record |= {"notes": 7, "rejected": ["x", {"file": 1}], "source": "\x1b[2J", "extra": "?"}
    add_dataset("again", changed(archive, HIDDEN, json.dumps(record).encode()))
    kept = kept_datasets()["again"].record
    assert (kept["notes"], kept["rejected"]) == ([], [{"file": "", "reason": ""}])
    assert "\x1b" not in kept["source"]
    assert "extra" not in kept


def test_an_export_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    pets(tmp_path)
    with pytest.raises(DataError, match="no data set of your own called 'none'"):
        export_dataset("none", tmp_path / "none.zip")
    with pytest.raises(OSError, match=r"no such folder|No such file"):
        export_dataset("pets", tmp_path / "nowhere" / "pets.zip")
    assert not list(tmp_path.glob("*.zip*"))


def test_an_ordinary_archive_is_read_as_images(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in class_folders().items():
            archive.writestr(name, content)
        archive.writestr("dataset.json", b"{}")
    add_dataset("plain", path)
    assert sum(find_dataset("plain").sizes.values()) == 60
