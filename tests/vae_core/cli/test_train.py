"""The command ``train``: more epochs, and weights to start from."""

import json
import shutil
from pathlib import Path

import pytest

from vae_core.basics.paths import pretrained_folder
from vae_core.cli import train as command
from vae_core.cli.main import main
from vae_core.runs import failures
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore, create_run
from vae_core.settings.config import RunConfig

SETTINGS = {"epochs": 2, "hidden_size": 8, "importance_every": 0, "batch_size": 512}


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    from vae_core.runs import execution

    monkeypatch.setattr(execution, "execute", lambda run, _: run.status().state)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS), "paused")
    run.update(state="done", epoch=2)
    (run.folder / "resume.pt").write_bytes(b"a checkpoint")
    return run


def test_a_finished_run_gets_more_epochs_and_the_schedule_is_said(run, capsys):
    main(["train", "--run", str(run.folder), "--resume", "--epochs", "5"])
    said = capsys.readouterr().err
    assert "The added epochs keep the last learning rate, 0.0001 (a twentieth of the first" in said
    assert Run.open(run.folder).config.train.epochs == 5


@pytest.mark.parametrize("command", ["resume", "evaluate"])
def test_no_control_characters_of_a_title_or_folder_reach_the_terminal(command, tmp_path, capsys):
    folder = tmp_path / "a\x1b[31mrun\n\u202eb"
    if command == "resume":
        create_run(folder, RunConfig.from_settings(SETTINGS), "paused")
        given = ["train", "--run", str(folder), "--resume"]
    else:
        shutil.copytree(pretrained_folder() / "digits-full-d2", folder)
        given = ["evaluate", str(folder), "--limit", "3", "--importance-samples", "30"]
    about = json.loads((folder / "config.json").read_text())
    about["title"] = "title\x1b]0;owned\x07\r\nsecond\u202eline"
    (folder / "config.json").write_text(json.dumps(about))
    main(given)
    told, said = capsys.readouterr()
    assert told + said
    assert all(line.isprintable() for line in (told + said).split("\n"))


def test_fewer_epochs_or_another_setting_are_refused(run, capsys):
    for more in (["--epochs", "1"], ["--epochs", "9", "--latent-size", "3"]):
        assert main(["train", "--run", str(run.folder), "--resume", *more]) == 2
        assert "it can get more epochs" in capsys.readouterr().err
    assert Run.open(run.folder).config.train.epochs == 2


def test_many_more_epochs_are_refused_without_yes(run, capsys, monkeypatch):
    asked = []

    def large(seconds: float, *_memory: int) -> str:
        asked.append(seconds)
        return "This run would take long."

    monkeypatch.setattr(command, "large_run_sentence", large)
    given = ["train", "--run", str(run.folder), "--resume", "--epochs", "5"]
    assert main(given) == 1
    assert "Add --yes" in capsys.readouterr().err
    assert Run.open(run.folder).config.train.epochs == 2
    main([*given, "--yes"])
    assert len(asked) == 1


def test_a_pretrained_model_gets_no_epochs_but_a_new_run_can_start_from_it(tmp_path, capsys):
    model = "pretrained/digits-full-d2"
    assert main(["train", "--run", model, "--resume", "--epochs", "9999"]) == 1
    assert "Start a new run from its weights instead" in capsys.readouterr().err
    folder = tmp_path / "new"
    main(["train", "--start-from", model, "--epochs", "3", "--run", str(folder)])
    config = Run.open(folder).config
    assert (config.start_from, config.train.epochs) == (model, 3)
    assert config.model == Run.open(model).config.model
    assert (folder / "start.safetensors").is_file()


def test_a_run_that_starts_from_another_model_takes_its_settings_unless_they_are_given(
    run, tmp_path, capsys
):
    assert main(["train", "--start-from", str(run.folder)]) == 1
    assert "No trained model" in capsys.readouterr().err
    given = ["train", "--start-from", "pretrained/digits-full-d2", "--latent-size", "3"]
    assert main([*given, "--run", str(tmp_path / "new")]) == 2
    assert "Latent size d is 2, not 3" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_config_says_from_where_a_run_started(tmp_path):
    folder = tmp_path / "new"
    main(["train", "--start-from", "pretrained/digits-full-d2", "--run", str(folder)])
    written = json.loads((folder / "config.json").read_text())
    assert written["start_from"] == "pretrained/digits-full-d2"


def test_a_copied_run_that_cannot_be_written_is_not_said_to_continue_by_itself(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    create_run(tmp_path / "made", RunConfig.from_settings(SETTINGS), "queued")
    RunStore().create(RunConfig.from_settings(SETTINGS))  # from now on, the store knows its runs
    shutil.copytree(tmp_path / "made", tmp_path / "runs" / "copied")
    monkeypatch.setattr(failures, "is_writable", lambda _: False)
    assert main(["runs", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)["runs"]}
    assert (rows["copied"]["copied"], rows.pop("copied")["standstill"]) == (True, "")
    assert all("continues by itself" in row["standstill"] for row in rows.values())
