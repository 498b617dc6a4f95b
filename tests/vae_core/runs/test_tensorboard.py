"""Event files of TensorBoard."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vae_core.basics.paths import pretrained_folder
from vae_core.cli.main import main
from vae_core.runs.comparison import compared
from vae_core.runs.run import Run
from vae_core.runs.tensorboard import scalars, write_events

ONE, OTHER = "pretrained/digits-full-d2", "pretrained/digits-mean-field-d16"
Written = list[tuple[str, str, float, int]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """What a stand-in for tensorboardX was told to write: folder, tag, value and epoch."""
    found: Written = []

    class Writer:
        def __init__(self, folder: str) -> None:
            self.folder = Path(folder).name

        def add_scalar(self, tag: str, value: float, epoch: int) -> None:
            found.append((self.folder, tag, value, epoch))

        def close(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Writer))
    return found


def test_every_figure_of_every_epoch_is_written(written: Written, tmp_path: Path) -> None:
    run = Run.open(pretrained_folder() / "digits-full-d2")
    (folder,) = write_events([compared(run)], ["a/b"], tmp_path)
    assert folder == tmp_path / "a-b"
    elbo = [(value, epoch) for _, tag, value, epoch in written if tag == "validation/elbo"]
    assert elbo == [(row["validation"]["elbo"], row["epoch"]) for row in run.metrics()]
    assert {"train/kl", "validation/kl", "kl_weight"} <= {tag for _, tag, _, _ in written}


def test_lists_texts_and_unknown_figures_are_left_out() -> None:
    row = {"epoch": 1, "train": {"elbo": float("nan"), "kl": 1.0}, "validation": {"x": [1.0]}}
    assert list(scalars(row)) == [("train/kl", 1.0)]


def test_equal_names_get_folders_of_their_own(written: Written, tmp_path: Path) -> None:
    run = compared(Run.open(pretrained_folder() / "digits-full-d2"))
    folders = write_events([run, run, run], ["x", "x", ".."], tmp_path)
    assert [folder.name for folder in folders] == ["x", "x (2)", "run"]
    assert {folder for folder, *_ in written} == {"x", "x (2)", "run"}


def test_the_command_writes_a_folder_for_each_run(
    written: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", ONE, OTHER, "--json", "--tensorboard", str(tmp_path / "events")]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
    assert len(list((tmp_path / "events").iterdir())) == 2
    assert written


def test_without_the_package_the_command_says_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main(["compare", ONE, "--tensorboard", str(tmp_path / "events")]) == 1
    assert "python -m pip install tensorboardX." in capsys.readouterr().err
    assert not (tmp_path / "events").exists()


def test_the_real_package_reads_back_what_it_wrote(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="the extra tensorboard is not installed")
    run = compared(Run.open(pretrained_folder() / "digits-full-d2"))
    (folder,) = write_events([run], ["one"], tmp_path)
    (file,) = folder.iterdir()
    assert b"validation/elbo" in file.read_bytes()
