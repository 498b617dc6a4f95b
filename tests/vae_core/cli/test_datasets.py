"""The command ``datasets``: add, list, show, rename, export, remove."""

import json
from pathlib import Path

import pytest

from tests.vae_core.data.own_sources import class_folders, use_folder, write_files
from vae_core.cli.main import main


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_folder(monkeypatch, tmp_path / "kept")
    return write_files(tmp_path / "pets", class_folders() | {"broken.png": b"no"})


def test_add_prints_what_show_prints_and_says_what_it_chose(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "add", "pets", str(pets), "--json"]) == 0
    added = capsys.readouterr()
    assert main(["datasets", "show", "pets", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert json.loads(added.out) == shown
    assert shown["name"] == "pets"
    assert shown["image_shape"] == [1, 12, 10]
    assert shown["classes"] == ["cats", "dogs"]
    assert shown["counts"] == {"train": 48, "validation": 6, "test": 6}
    assert [each["file"] for each in shown["rejected"]] == ["broken.png"]
    assert shown["title"] and shown["digest"] and shown["source"]  # noqa: PT018
    assert "12×10 pixels: all images have this size." in added.err
    assert "1 file was rejected" in added.err


def test_options_overrule_the_suggestions(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--size", "8x16", "--colour", "rgb", "--split", "60/20/20", "--title", "Pets!"]
    assert main(["datasets", "add", "pets", str(pets), "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["image_shape"] == [3, 8, 16]
    assert found["counts"] == {"train": 36, "validation": 12, "test": 12}
    assert found["title"] == "Pets!"


def test_list_has_the_built_in_data_sets_and_the_own_ones(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["datasets", "add", "pets", str(pets)])
    capsys.readouterr()
    assert main(["datasets", "list", "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)["datasets"]}
    assert next(iter(found)) == "digits"
    assert (found["digits"]["built_in"], found["pets"]["built_in"]) == (True, False)
    assert main(["datasets", "list"]) == 0
    assert "pets  12×10 grey; 48 train" in capsys.readouterr().out


def test_a_built_in_data_set_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "show", "digits", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["image_shape"], found["source"], found["rejected"]) == ([1, 8, 8], "built in", [])


def test_remove_says_where_the_folder_went(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["datasets", "add", "pets", str(pets)])
    capsys.readouterr()
    assert main(["datasets", "remove", "pets", "--json"]) == 0
    removed = json.loads(capsys.readouterr().out)
    assert (Path(removed["folder"]) / "dataset.json").is_file()
    assert main(["datasets", "remove", "pets"]) == 1
    assert "no data set of your own called 'pets'" in capsys.readouterr().err
    assert main(["datasets", "remove", "digits"]) == 1


def test_a_damaged_data_set_is_listed_with_the_reason(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["datasets", "add", "pets", str(pets)])
    capsys.readouterr()
    (pets.parent / "kept" / "pets" / "dataset.json").write_text("{")
    assert main(["datasets", "list", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["damaged"][0]["name"] == "pets"
    assert main(["datasets", "list"]) == 1
    assert "pets: damaged, dataset.json: it is not JSON" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (["--size", "4"], 2, "each 8 to 128"),
        (["--split", "50/50/50"], 2, "add up to 100"),
        (["--seed", "-1"], 2, "0 to 2,147,483,647"),
    ],
)
def test_wrong_options_are_wrong_usage(
    pets: Path, capsys: pytest.CaptureFixture[str], options: list[str], status: int, reason: str
) -> None:
    try:
        found = main(["datasets", "add", "pets", str(pets), *options])
    except SystemExit as stop:
        found = stop.code
    assert found == status
    assert reason in capsys.readouterr().err


def test_a_source_that_does_not_exist_is_said(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "add", "x", str(pets / "nowhere")]) == 1
    assert "does not exist; check the path" in capsys.readouterr().err


def test_rename_says_the_new_name_and_keeps_the_old_one_for_runs(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["datasets", "add", "pets", str(pets)])
    capsys.readouterr()
    assert main(["datasets", "rename", "pets", "animals", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["former_names"]) == ("animals", ["pets"])
    assert main(["datasets", "show", "pets"]) == 0
    assert capsys.readouterr().out.startswith("animals  12×10 grey")
    assert main(["datasets", "rename", "nobody", "x"]) == 1
    assert "no data set of your own called 'nobody'" in capsys.readouterr().err


def test_export_writes_a_new_file_that_can_be_added(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["datasets", "add", "pets", str(pets)])
    file = tmp_path / "out.zip"
    assert main(["datasets", "export", "pets", str(file)]) == 0
    assert main(["datasets", "add", "again", str(file), "--json"]) == 0
    capsys.readouterr()
    for wrong, reason in ((file, "exists already"), (tmp_path / "x.tar", "path of a .zip file")):
        assert main(["datasets", "export", "pets", str(wrong)]) == 1
        assert reason in capsys.readouterr().err
