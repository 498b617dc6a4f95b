"""A preview shows images of every class as the data set will have them, and keeps nothing."""

from pathlib import Path

import pytest

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    pictures,
    use_folder,
    write_files,
)
from vae_core.basics.progress import result_of
from vae_core.data.arrangement import Place
from vae_core.data.examination import Seen, examine_steps, plan_of
from vae_core.data.kept import kept_datasets
from vae_core.data.own import add_dataset, suggested_name
from vae_core.data.preview import Previewed, chosen_files, preview_steps
from vae_core.data.sources.opening import open_source
from vae_core.settings.own_data import AddOptions
from vae_core.wording.own_data import without_option


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def preview(folder: Path, options: AddOptions | None = None) -> list[Previewed]:
    found = result_of(examine_steps(open_source(folder, folder / "scratch")))
    return result_of(preview_steps(found, plan_of(found, options or AddOptions())))


def test_the_pixels_are_those_that_the_data_set_will_have(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders(shape=(40, 30, 3)))
    options = AddOptions(size="16", fit="pad")
    shown = preview(folder, options)
    assert not kept_datasets()
    add_dataset("pets", folder, options)
    images, _ = kept_datasets()["pets"].load()
    kept = {image.tobytes() for image in images}
    assert len(shown) == 32
    assert all(each.pixels is not None and each.pixels.tobytes() in kept for each in shown)


def test_every_class_has_its_share() -> None:
    labels = ["a"] * 500 + ["b"] * 5 + ["c"] * 500
    files = [Seen(str(i), (8, 8), place=Place(each)) for i, each in enumerate(labels)]
    chosen = [labels[i] for i in chosen_files(files, 32)]
    assert [chosen.count(each) for each in "abc"] == [14, 5, 13]
    assert chosen == sorted(chosen)


def test_of_more_classes_than_images_some_are_shown() -> None:
    files = [Seen(str(i), (8, 8), place=Place(f"{i:03}")) for i in range(300)]
    assert len(chosen_files(files, 32)) == 32


def test_an_image_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    files = class_folders(59) | {"cats/0broken.png": encoded(pictures(1, (12, 10))[0])[:-30]}
    shown = preview(write_files(tmp_path / "pets", files))
    broken = [each for each in shown if each.pixels is None]
    assert [each.name for each in broken] == ["cats/0broken.png"]
    assert "0broken.png" in broken[0].error


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("holiday photos.zip", "holiday-photos"),
        ("C:\\me\\x.tar.gz", "x"),
        ("../../etc", "etc"),
        ("digits.npz", "digits-2"),
        ("…", "images"),
        ("a" * 300, "a" * 40),
    ],
)
def test_a_name_is_suggested_that_is_free(source: str, name: str) -> None:
    assert suggested_name(source) == name


def test_a_reason_on_a_page_names_no_option(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders(shape=(40, 30)))
    found = result_of(examine_steps(open_source(folder, tmp_path)))
    why = plan_of(found, AddOptions()).why
    assert set(why) == {"colour", "prepare", "size", "augment"}
    assert without_option(why["colour"]) == "Grey: no image of the sample has a colour."
    assert not any("--" in without_option(each) for each in why.values())
    assert without_option("Kept as it is.") == "Kept as it is."
