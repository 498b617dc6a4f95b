"""A run is named by a path, by ``pretrained/NAME`` or by its id, in whatever folder one stands."""

import shutil
from pathlib import Path

import pytest

from vae_core import load_model
from vae_core.basics import paths
from vae_core.basics.errors import InvalidArgument
from vae_core.basics.paths import pretrained_folder, run_folder
from vae_core.cli import main as command_line
from vae_core.cli.main import main
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

MODEL = "pretrained/digits-full-d2"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, with an empty run store."""
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_pretrained_model_has_its_name_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_folder(MODEL) == pretrained_folder() / "digits-full-d2"
    assert load_model(MODEL).config.latent_size == 2
    assert Run.open(MODEL).id == "digits-full-d2"
    assert main(["sample", MODEL, "--count", "1", "--out", "drawn.png"]) == 0
    assert Path("drawn.png").is_file(), capsys.readouterr().err


def test_a_folder_that_exists_comes_before_the_models_of_the_program() -> None:
    own = Path(MODEL)
    own.mkdir(parents=True)
    assert run_folder(MODEL) == own
    with pytest.raises(RunError, match="is not a run"):
        Run.open(MODEL)


def test_a_run_of_the_store_has_its_id_everywhere() -> None:
    made = RunStore().create(RunConfig.from_settings({}))
    assert Run.open(made.id) == made


@pytest.mark.parametrize("name", ["nothing", "pretrained/nothing", "pretrained", "a/b/c", ""])
def test_what_names_no_run_stays_as_it_was_given(name: str) -> None:
    assert run_folder(name) == Path(name)
    with pytest.raises(RunError, match="is not a run"):
        Run.open(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))  # on Windows
    return tmp_path / "home"


def test_a_tilde_in_a_variable_is_the_home_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in paths.FOLDER_VARIABLES:
        monkeypatch.setenv(name, f"~/{name}")
    assert paths.runs_folder() == home / "VAE_RUNS_DIR"
    assert paths.cache_folder() == home / "VAE_CACHE_DIR"
    assert paths.data_folder() == home / "VAE_DATA_DIR"
    assert paths.datasets_folder() == home / "VAE_DATASETS_DIR"
    made = RunStore().create(RunConfig.from_settings({}))
    assert made.folder.parent == home / "VAE_RUNS_DIR"
    assert not Path("~").exists()
    assert Run.open(f"~/VAE_RUNS_DIR/{made.id}") == made


def test_a_user_who_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", "~no such user/runs")
    with pytest.raises(InvalidArgument, match="begins with ~, but there is no such user here"):
        paths.runs_folder()


COMMANDS = {
    "run": ["evaluate", "~/a"],
    "images": ["score", "~/a", "~/a"],
    "csv": ["score", "x", "y", "--csv=~/a"],
    "folder": ["detect", "x", "--folder=~/a"],
    "out": ["sample", "x", "--out=~/a"],
    "add": ["runs", "--add=~/a"],
    "new run": ["train", "--run=~/a"],
    "classified": ["classify", "x", "~/a"],
    "compared": ["compare", "~/a"],
    "table": ["compare", "x", "--csv=~/a"],
    "events": ["compare", "x", "--tensorboard=~/a"],
    "sweep": ["sweep", "--csv=~/a"],
    "source": ["datasets", "add", "name", "~/a"],
    "file": ["datasets", "export", "name", "~/a"],
    "good": ["operating-point", "x", "--good=~/a"],
    "bad": ["operating-point", "x", "--bad=~/a"],
}


@pytest.mark.parametrize("option", COMMANDS)
def test_a_tilde_in_a_path_of_a_command_is_the_home_folder(home: Path, option: str) -> None:
    given = vars(command_line._parser().parse_args(COMMANDS[option]))
    assert home / "a" in [path for value in given.values() for path in _paths(value)]


def _paths(value: object) -> list[Path]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, Path)]


@pytest.mark.slow
def test_a_run_to_start_from_may_be_named_from_the_home_folder(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pretrained_folder() / "digits-full-d2", home / "mine")
    own = ["--epochs=1", "--importance-every=0"]
    status = main(["train", "--start-from=~/mine", "--run=~/new", *own])
    assert status == 0, capsys.readouterr().err
    assert (home / "new" / "start.safetensors").is_file()
    assert not Path("~").exists()


def test_a_file_whose_name_begins_with_a_tilde_is_that_file() -> None:
    Path("~$a.png").touch()
    given = command_line._parser().parse_args(["score", "x", "~$a.png"])
    assert given.images == [Path("~$a.png")]


@pytest.mark.parametrize(("folder", "missing"), [("", False), (".", False), ("nowhere", True)])
def test_a_data_folder_that_does_not_exist_is_known(
    folder: str, missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAE_DATA_DIR", folder)
    assert paths.data_folder_is_missing() is missing


@pytest.mark.parametrize("name", paths.FOLDER_VARIABLES)
def test_a_variable_that_names_a_file_is_refused_by_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, str(tmp_path / "file"))
    with pytest.raises(InvalidArgument, match=f"{name} is set to .*file, which is no folder"):
        paths.chosen_folder(name)
