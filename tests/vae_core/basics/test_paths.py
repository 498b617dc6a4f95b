"""A run is named by a path, by ``pretrained/NAME`` or by its id, in whatever folder one stands."""

from pathlib import Path

import pytest

from vae_core import load_model
from vae_core.basics.paths import pretrained_folder, run_folder
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
