"""The Data page: every data set is shown, own images become one, and removal can be undone."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.services import adding
from app.views.data import keeping, removing
from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    pictures,
    use_folder,
    write_files,
    write_zip,
)
from vae_core import add_dataset
from vae_core.data.kept import DATASET_FILE, kept_datasets
from vae_core.settings.own_data import AddOptions

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[3] / "app" / "views" / "data" / "page.py"
TIMEOUT = 120


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    removing._removed.clear()
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    return use_folder(monkeypatch, tmp_path / "kept")


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)
    for name, value in query.items():
        app.query_params[name] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception
    return app


def later(app: AppTest, reached: Callable[[AppTest], object]) -> AppTest:
    """Draw the page until something is reached."""
    end = time.monotonic() + TIMEOUT
    while not reached(app):
        assert time.monotonic() < end
        checked(app.run())
    return app


def texts(app: AppTest) -> str:
    found: Any = [
        each for kind in ("markdown", "caption", "error", "warning") for each in app.get(kind)
    ]
    shown = [each.value for each in found]
    return "\n".join([*shown, *(str(each.proto) for each in app.get("html"))])


def give(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, content, "") for name, content in files])
    return checked(app.run())


def has_button(key: str) -> Callable[[AppTest], bool]:
    return lambda app: any(each.key == key for each in app.button)


def pets(tmp_path: Path) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders()))


def test_the_digits_are_shown_by_class_with_their_numbers() -> None:
    app = opened()
    assert app.selectbox(key="dataset").value == "digits"
    assert texts(app).count("<img") == 100
    assert "1,297 training, 200 validation, 300 test" in texts(app)
    assert app.get("plotly_chart")


def test_a_link_restores_the_data_set_and_one_to_a_removed_one_says_so(tmp_path: Path) -> None:
    pets(tmp_path)
    assert opened(dataset="pets").selectbox(key="dataset").value == "pets"
    gone = opened(dataset="gone")
    assert gone.selectbox(key="dataset").value == "digits"
    assert "There is no data set called gone." in texts(gone)


def test_a_built_in_data_set_that_is_not_here_offers_the_download() -> None:
    app = opened(dataset="fashion-mnist")
    assert has_button("missing-data-download")(app)
    assert "is not on this computer" in texts(app)


def test_files_become_a_data_set_only_when_add_is_pressed(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "my pets.zip", class_folders(60, (12, 10, 3)))
    app = give(opened(tab="Add images"), ("my pets.zip", archive.read_bytes()))
    later(app, has_button("data-add"))
    later(app, lambda app: texts(app).count("<img") == 32)
    assert "60 images in 2 classes: cats 40, dogs 20" in texts(app)
    assert "all images have this size" in texts(app)
    assert "--" not in texts(app).partition("<img")[0]
    assert not kept_datasets()
    checked(app.button(key="data-add").click().run())
    later(app, has_button("data-remove"))
    assert app.selectbox(key="dataset").value == "my-pets"
    assert kept_datasets()["my-pets"].info.image_shape == (3, 12, 10)
    assert not list(adding._temporary().rglob("*.zip"))


def test_the_class_folders_of_a_dropped_folder_are_classes_and_its_parts_are_kept() -> None:
    app = opened(tab="Add images")
    checked(app.segmented_control(key="data-way").set_value("A folder").run())
    assert app.file_uploader[0].accept_directory
    files = [
        (f"my pets/{'train' if place < 40 else 'test'}/{name}", content)
        for place, (name, content) in enumerate(class_folders(60).items())
    ]
    later(give(app, *files), has_button("data-add"))
    assert app.text_input(key="data-name").value == "my-pets"
    checked(app.button(key="data-add").click().run())
    later(app, has_button("data-remove"))
    kept = kept_datasets()["my-pets"]
    assert kept.info.classes == ("cats", "dogs")
    assert kept.info.sizes["test"] == 20


def test_a_visitor_cannot_stop_what_another_one_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_zip(tmp_path / "pets.zip", class_folders())
    file = adding.File("pets.zip", memoryview(archive.read_bytes()))
    jobs = [adding.Adding(name, adding.Intake(name, [file]), AddOptions()) for name in "ab"]
    jobs[1].owner = "somebody else"
    monkeypatch.setattr(adding, "_jobs", jobs)
    monkeypatch.setattr(adding.Adding, "is_mine", property(lambda job: job is jobs[0]))
    for each in jobs:
        monkeypatch.setattr(each, "advance", lambda _: None)
    app = opened(tab="Add images")
    assert [each.key for each in app.button if str(each.key).endswith("-stop")] == [
        "data-other-0-stop"
    ]
    for each in jobs:
        each.stop()


def test_single_images_with_a_table_have_its_classes() -> None:
    files = [(f"{i}.png", encoded(each)) for i, each in enumerate(pictures(50))]
    table = "file,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(50))
    app = give(opened(tab="Add images"), *files, ("labels.csv", table.encode()))
    later(app, has_button("data-add"))
    assert app.text_input(key="data-name").value == "your-files"
    assert "50 images in 2 classes: a 25, b 25" in texts(app)


def test_files_that_cannot_be_used_are_refused_in_a_sentence() -> None:
    app = give(opened(tab="Add images"), ("broken.npz", b"no array"))
    later(app, lambda app: app.error)
    assert [each.value for each in app.error] == [
        "broken.npz is damaged or cut off (File is not a zip file); save it again."
    ]
    assert not has_button("data-add")(app)


def test_too_few_images_are_refused_and_nothing_is_kept(tmp_path: Path, kept_in: Path) -> None:
    archive = write_zip(tmp_path / "few.zip", class_folders(20))
    app = give(opened(tab="Add images"), ("few.zip", archive.read_bytes()))
    later(app, has_button("data-add"))
    assert "needs at least 50 different images" in texts(app)
    checked(app.button(key="data-add").click().run())
    later(app, lambda app: app.error)
    assert "few.zip has 20 different images" in app.error[0].value
    assert not list(kept_in.iterdir())


def test_a_name_or_a_size_that_cannot_be_used_disables_add(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "pets.zip", class_folders())
    app = give(opened(tab="Add images"), ("pets.zip", archive.read_bytes()))
    later(app, has_button("data-add"))
    app.text_input(key="data-name").set_value("digits").run()
    assert "'digits' is a built-in data set" in app.error[0].value
    assert app.button(key="data-add").disabled
    app.text_input(key="data-name").set_value("pets").run()
    app.text_input(key="add_size").set_value("4000").run()
    assert "Size must be height x width" in app.error[0].value
    assert app.button(key="data-add").disabled


def test_a_removed_data_set_comes_back(tmp_path: Path) -> None:
    pets(tmp_path)
    app = opened(dataset="pets")
    checked(app.button(key="data-remove").click().run())
    assert app.selectbox(key="dataset").value == "digits"
    assert not kept_datasets()
    checked(app.button(key="data-undo-pets").click().run())
    assert app.selectbox(key="dataset").value == "pets"
    assert not has_button("data-undo-pets")(app)


def test_a_built_in_data_set_cannot_be_removed() -> None:
    assert not has_button("data-remove")(opened())


def test_a_damaged_data_set_is_listed_with_its_reason(tmp_path: Path, kept_in: Path) -> None:
    pets(tmp_path)
    (kept_in / "pets" / DATASET_FILE).write_text("{")
    app = opened()
    assert len(app.warning) == 1
    assert "The data set pets cannot be used" in app.warning[0].value
    checked(app.button(key="data-remove-pets").click().run())
    assert not app.warning


def test_a_data_set_from_elsewhere_cannot_write_on_the_page(tmp_path: Path, kept_in: Path) -> None:
    pets(tmp_path)
    record = json.loads((kept_in / "pets" / DATASET_FILE).read_text())
    evil = "<img src=x onerror=alert(1)> **bold** [l](http://e.vil)"
    record |= {
        "title": "<b>t</b>",
        "classes": ["<i>c</i>", "d"],
        "source": evil,
        "notes": [evil, 7],
    }
    record |= {"rejected": [{"file": evil}, 3], "rejected_count": "x", "duplicates": None}
    (kept_in / "pets" / DATASET_FILE).write_text(json.dumps(record))
    app = opened(dataset="pets")
    assert "onerror" in texts(app)
    html = "".join(str(each.proto) for each in app.get("html"))
    assert not any(each in html for each in ("<img src=x", "<i>c", "<b>t"))
    assert not any(re.search(r"(?<!\\)[<*]", each.value) for each in app.markdown)


def test_images_that_are_damaged_cost_only_their_data_set(tmp_path: Path, kept_in: Path) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders(55)))  # seen in no other test
    np.save(kept_in / "pets" / "images.npy", np.zeros((3, 1, 4, 4), np.uint8))
    app = opened(dataset="pets")
    assert "is damaged" in app.error[0].value
    app.selectbox(key="dataset").select("digits").run()
    assert not checked(app).error


def test_a_renamed_data_set_stays_chosen_and_a_taken_name_is_refused(tmp_path: Path) -> None:
    pets(tmp_path)
    app = opened(dataset="pets")
    app.text_input(key="data-new-name").set_value("digits").run()
    checked(app.button(key="data-rename-go").click().run())
    assert "'digits' is a built-in data set" in app.error[0].value
    app.text_input(key="data-new-name").set_value("animals").run()
    checked(app.button(key="data-rename-go").click().run())
    assert app.selectbox(key="dataset").value == "animals"
    assert list(kept_datasets()) == ["animals"]
    assert opened(dataset="pets").selectbox(key="dataset").value == "animals"


def test_the_saved_file_is_the_data_set(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "saved.zip").write_bytes(keeping._archive("pets"))
    again = add_dataset("again", tmp_path / "saved.zip")
    assert again.digest == kept_datasets()["pets"].info.digest
