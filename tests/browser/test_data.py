"""The Data page in a browser: from a dropped .zip to a data set that Train starts from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import SLOW, App, expect_no_exception, running_app, settle, visit
from tests.vae_core.data.own_sources import class_folders, write_files, write_zip
from vae_core import add_dataset


@pytest.fixture
def app(browser: Browser, tmp_path: Path) -> Iterator[App]:
    """The app with an empty folder of data sets."""
    assert browser.is_connected()
    with running_app(tmp_path, settings={"VAE_DATASETS_DIR": str(tmp_path / "datasets")}) as app:
        yield app


@pytest.mark.tour
def test_a_dropped_archive_becomes_a_data_set_to_train_on_and_can_be_removed(
    app: App, page: Page, tmp_path: Path
) -> None:
    archive = write_zip(tmp_path / "my pets.zip", class_folders(60, (12, 10, 3)))
    visit(page, f"{app.url}/data", {"tab": "Add images"})
    page.locator("input[type=file]").set_input_files(archive)
    preview = page.locator(".st-key-data-preview-rows img")
    expect(preview).to_have_count(32, timeout=SLOW)
    expect(page.get_by_text("60 images in 2 classes: cats 40, dogs 20")).to_be_visible()
    expect(page.get_by_text("Nothing has been kept yet.")).to_be_visible()
    assert not list((tmp_path / "datasets").glob("*"))

    page.get_by_role("textbox", name="Size").fill("16")
    page.get_by_role("textbox", name="Size").press("Enter")
    expect(page.get_by_text("16×16 pixels. Nothing has been kept yet.")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".st-key-data-sheet img")).to_have_count(46, timeout=SLOW)
    settle(page)
    assert "dataset=my-pets" in page.url
    expect(page.locator(".data-facts")).to_contain_text("60, 16×16 pixels, in colour")

    page.get_by_role("button", name="Train on it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    expect(page.get_by_role("combobox", name="Data set")).to_have_value("my-pets 16×16")
    settle(page)
    expect(page.get_by_role("button", name="Start")).to_be_enabled()

    page.get_by_role("link", name="Add images of yours").click()
    expect(page.locator("input[type=file]")).to_have_count(1)
    page.get_by_role("tab", name="Images", exact=True).click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The data set my-pets was removed.")).to_be_visible()
    expect(page.locator(".data-facts")).to_contain_text("1,797, 8×8 pixels, grey")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".data-facts")).to_contain_text("60, 16×16 pixels, in colour")
    settle(page)


def test_another_page_is_reached_from_one_that_keeps_its_choices_in_the_address(
    app: App, page: Page
) -> None:
    visit(page, f"{app.url}/data", {"dataset": "digits", "split": "Test", "present": "true"})
    settle(page)
    page.get_by_role("button", name="Train on it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    settle(page)
    expect_no_exception(page)
    assert "present=true" in page.url
    assert "split" not in page.url


def test_a_dropped_folder_becomes_a_data_set_with_its_class_folders_as_classes(
    app: App, page: Page, tmp_path: Path
) -> None:
    beside = {"notes.txt": b"no image", "cats/Thumbs.db": b"no image"}
    folder = write_files(tmp_path / "my pets", class_folders(60, (12, 10, 3)) | beside)
    visit(page, f"{app.url}/data", {"tab": "Add images"})
    page.get_by_role("radio", name="A folder").click()
    chooser = page.locator("input[type=file][webkitdirectory]")
    expect(chooser).to_have_count(1, timeout=SLOW)
    chooser.set_input_files(folder)
    expect(page.get_by_text("60 images in 2 classes: cats 40, dogs 20")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("my-pets")
    settle(page)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".st-key-data-sheet img")).to_have_count(46, timeout=SLOW)
    settle(page)
    assert "dataset=my-pets" in page.url
    expect(page.locator(".data-facts")).to_contain_text("60, 12×10 pixels, in colour")


def test_an_own_data_set_can_be_renamed_and_saved(app: App, page: Page, tmp_path: Path) -> None:
    files = write_files(tmp_path / "pets", class_folders(60, (12, 10, 3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_DATASETS_DIR", str(tmp_path / "datasets"))
        made = add_dataset("pets", files)
        visit(page, f"{app.url}/data", {"dataset": "pets"})
        page.get_by_role("button", name="Rename").click()
        page.get_by_role("textbox", name="New name").fill("animals")
        page.get_by_role("textbox", name="New name").press("Enter")
        page.locator(".st-key-data-rename-go button").click()
        expect(page.locator(".data-facts")).to_contain_text("animals", timeout=SLOW)
        settle(page)
        assert "dataset=animals" in page.url
        with page.expect_download(timeout=SLOW) as saved:
            page.get_by_role("button", name="Save", exact=True).click()
        saved.value.save_as(tmp_path / "saved.zip")
        assert saved.value.suggested_filename == "animals.zip"
        assert add_dataset("again", tmp_path / "saved.zip").digest == made.digest
