"""Runs by a data set of the user's own, which may change or go."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vae_core.data.own_sources import class_folders, encoded, pictures, write_files
from vae_core import add_dataset
from vae_core.cli.main import main
from vae_core.data.kept import kept_datasets, remove_dataset, restore_dataset
from vae_core.runs.own_data import check_dataset
from vae_core.runs.publishing import Effort, publish
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError

SMALL = ["--epochs", "2", "--hidden-size", "8", "--hidden-layers", "1", "--importance-every", "0"]


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files of the data set ``pets``, which is added."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_DATASETS_DIR", str(folder / "kept"))
        files = write_files(folder / "files", class_folders(60))
        add_dataset("pets", files)
        yield files


@pytest.fixture(scope="module")
def trained(pets: Path) -> Path:
    """The folder of a run that was trained on ``pets``."""
    folder = pets.parent / "run"
    assert main(["train", "--dataset", "pets", "--run", str(folder), *SMALL]) == 0
    return folder


@pytest.mark.slow
def test_a_run_by_an_own_data_set_is_evaluated_under_its_name(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained), "--json", "--importance-samples", "5"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["dataset"], figures["images"]) == ("pets", 6)


@pytest.mark.slow
def test_a_published_model_keeps_what_is_known_of_its_data_set(
    trained: Path, tmp_path: Path
) -> None:
    effort = Effort(images=5, refined_images=2, samples=30, foreign_images=2)
    shutil.copytree(trained, tmp_path / "run")
    folder = publish(Run.open(tmp_path / "run"), tmp_path / "published", "a command", effort)
    published = Run.open(folder)
    assert published.config.kept_info == Run.open(trained).config.kept_info
    figures = published.evaluation()
    assert figures is not None
    assert (figures["images"], figures["importance_samples"]) == (5, 30)
    assert figures["refined"]["images"] == 2
    assert not [path for path in folder.iterdir() if path.suffix in (".png", ".npy")]


@pytest.mark.slow
def test_a_model_scores_without_its_data_set(
    trained: Path, pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, run = str(pets / "cats" / "1.png"), str(trained)
    moved = remove_dataset("pets")
    try:
        assert main(["score", run, image, "--json", "--importance-samples", "20"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["images"]
        assert row["ok"]
        assert row["verdict"]
        assert row["class"] in (0, 1)
        assert main(["evaluate", run, "--importance-samples", "5"]) == 1
        assert "'pets' of this run is not on this computer" in capsys.readouterr().err
    finally:
        restore_dataset(moved)


@pytest.mark.slow
def test_a_run_goes_on_after_its_data_set_was_renamed(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    main(["datasets", "rename", "pets", "animals"])
    try:
        capsys.readouterr()
        assert main(["evaluate", str(run), "--json", "--importance-samples", "5"]) == 0
        assert json.loads(capsys.readouterr().out)["dataset"] == "pets"
        assert main(["calibrate", str(run), "--limit", "6"]) == 0
        check_dataset(Run.open(run), every_byte=True)  # as before a resume
        assert main(["train", "--dataset", "pets", "--run", str(tmp_path / "new"), *SMALL]) == 0
        assert Run.open(tmp_path / "new").config.dataset == "animals"
    finally:
        main(["datasets", "rename", "animals", "pets"])


@pytest.mark.slow
def test_the_same_images_under_another_name_are_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "pets.zip"
    assert main(["datasets", "export", "pets", str(archive)]) == 0
    moved = remove_dataset("pets")
    try:
        assert main(["datasets", "add", "again", str(archive)]) == 0
        assert main(["evaluate", str(trained), "--importance-samples", "5"]) == 1
        assert "'datasets rename again pets' lets the run find them." in capsys.readouterr().err
        remove_dataset("again")
    finally:
        restore_dataset(moved)


@pytest.mark.slow
def test_a_changed_data_set_is_said_before_anything_is_resumed(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig.from_settings({"dataset": "pets", "epochs": 1, "hidden_size": 8})
    run = create_run(pets.parent / "paused", config, "paused")
    images = kept_datasets()["pets"].folder / "images.npy"
    before = images.read_bytes()
    try:
        images.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert main(["train", "--run", str(run.folder), "--resume"]) == 1
        assert "was changed since this run was created" in capsys.readouterr().err
        assert run.status().state == "paused"
    finally:
        images.write_bytes(before)
    assert main(["train", "--run", str(run.folder), "--resume"]) == 0


def test_a_data_set_of_another_size_under_the_same_name_damages_no_run(pets: Path) -> None:
    config = RunConfig.from_settings({"dataset": "pets"})
    run = create_run(pets.parent / "kept_run", config, "paused")
    moved = remove_dataset("pets")
    try:
        files = {f"{i}.png": encoded(picture) for i, picture in enumerate(pictures(50, (9, 9)))}
        add_dataset("pets", write_files(pets.parent / "others", files))
        opened = Run.open(run.folder)
        assert opened.config.info.image_shape == (1, 12, 10)
        assert opened.config == config
    finally:
        shutil.rmtree(remove_dataset("pets"))
        restore_dataset(moved)


def test_a_damaged_record_of_the_data_set_is_named(pets: Path) -> None:
    config = RunConfig.from_settings({"dataset": "pets"})
    run = create_run(pets.parent / "damaged", config, "paused")
    path = run.folder / "dataset.json"
    record = json.loads(path.read_text("utf-8"))
    for change in ({"image_shape": [1, 9999, 9]}, {"classes": 3}, {"format": 9}, {"counts": {}}):
        path.write_text(json.dumps(record | change))
        with pytest.raises(RunError, match=r"is damaged: dataset\.json"):
            Run.open(run.folder)
    path.write_text(json.dumps(record | {"name": "digits"}))
    with pytest.raises(RunError, match="keeps facts of 'digits', not of 'pets'"):
        Run.open(run.folder)


def test_a_run_by_images_without_classes_can_have_no_class_head(pets: Path) -> None:
    files = {f"{i}.png": encoded(picture) for i, picture in enumerate(pictures(50))}
    add_dataset("flat", write_files(pets.parent / "flat", files))
    assert RunConfig.from_settings({"dataset": "flat"}).info.classes == ()
    with pytest.raises(ConfigError, match="has no classes"):
        RunConfig.from_settings({"dataset": "flat", "class_head": "linear"})


@pytest.mark.slow
def test_colour_images_without_classes_go_all_the_way(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"{i}.png": encoded(p) for i, p in enumerate(pictures(50, (10, 8, 3)))}
    folder = write_files(pets.parent / "colours", files)
    add_dataset("colours", folder)
    run = str(pets.parent / "colour_run")
    assert main(["train", "--dataset", "colours", "--run", run, *SMALL]) == 0
    capsys.readouterr()
    assert main(["calibrate", run, "--json", "--limit", "5"]) == 0
    assert json.loads(capsys.readouterr().out)["class_accuracy"] is None
    assert main(["score", run, str(folder / "1.png"), "--json", "--importance-samples", "20"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["images"]
    assert (row["class"], row["class_probabilities"]) == (None, None)
