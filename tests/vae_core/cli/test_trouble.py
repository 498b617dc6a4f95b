"""The command line when something is in its way: Ctrl-C, damaged files, too few images, a terminal
that lacks a character. One sentence, the right status, and nothing lost."""

import _thread
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from vae_core.basics.errors import InvalidArgument
from vae_core.cli.main import main
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.records import (
    calibration_of,
    held_out_of,
    write_calibration,
)
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import RunStore
from vae_core.scoring import calibration as calibrating
from vae_core.scoring.calibration import Calibration
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Path:
    """A copy of the finished run, without a calibration."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


@pytest.fixture
def calibrated(run: Path, calibration: Calibration) -> Path:
    write_calibration(calibration, run)
    return run


@pytest.fixture
def pictures(digits: Dataset, tmp_path: Path) -> Path:
    """A folder with 150 digits."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(150):
        Image.fromarray(digits.images[index, 0].numpy()).save(folder / f"{index:03}.png")
    return folder


# ---- a terminal that lacks a character


@pytest.mark.thorough
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_character_that_stdout_lacks_does_not_end_the_scores(calibrated, pictures, encoding):
    """Sentences hold σ and −; names hold anything, even what is no text."""
    for kept, name in (("000", b"\xcf\x83.png"), ("001", b"b\xff.png")):
        try:
            (pictures / f"{kept}.png").rename(pictures / os.fsdecode(name))
        except OSError:
            continue  # a file system that refuses such a name
    for index in range(20, 150):
        (pictures / f"{index:03}.png").unlink()
    command = [sys.executable, "-m", "vae_core", "score", str(calibrated), str(pictures),
               "--importance-samples", "50"]  # fmt: skip
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20
    assert (b"\\u03c3" in done.stdout) == (encoding == "ascii")


def test_a_title_is_no_command_to_the_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path))
    RunStore().create(RunConfig(title="\x1b[31mred\nnext"), "paused")
    assert main(["runs"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("�[31mred�next")


# ---- Ctrl-C


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C as a terminal would have it, wherever the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class ImpatientTerminal(io.StringIO):
    """Ctrl-C is pressed in it at the first sign of progress."""

    pressed = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not self.pressed and ("%" in text or "file" in text):
            self.pressed = True
            _thread.interrupt_main()
        return super().write(text)


@pytest.mark.slow
@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize("command", ["evaluate", "gap", "score", "calibrate", "detect"])
def test_ctrl_c_is_one_sentence_and_status_130(command, run, pictures, monkeypatch):
    terminal = ImpatientTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main([command, str(run), *([str(pictures)] if command == "score" else [])]) == 130
    assert terminal.getvalue().endswith("\nStopped before the end.\n")
    assert not list(run.glob("calibration*"))
    assert not list(run.glob("detection*"))


@pytest.mark.thorough
@pytest.mark.slow
def test_ctrl_c_leaves_the_finished_rows_and_says_how_to_go_on(calibrated, pictures, tmp_path):
    path = tmp_path / "scores.csv"
    command = [sys.executable, "-m", "vae_core", "score", str(calibrated), str(pictures), "--csv",
               str(path), "--importance-samples", "10000"]  # fmt: skip
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # tests that a shell runs in the background inherit that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not path.is_file() or path.read_bytes().count(b"\n") < 10:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert last == f"Stopped. The finished rows are in {path}; repeat the command to continue."
    assert main(command[3:]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [Path(row["file"]).stem for row in rows] == [f"{index:03}" for index in range(150)]


# ---- damaged files


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _without(*names: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        figures = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in figures.items() if k not in names}))

    return spoil


def _no_scores(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"log_px": torch.zeros(0)}, path)


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("held_out.safetensors", _cut, "damaged"),
        ("held_out.safetensors", lambda path: path.write_bytes(b"\xff" * 50), "damaged"),
        ("held_out.safetensors", _no_scores, "damaged: it contains no scores"),
        ("evaluation.json", _without("seed"), "does not say the seed. Only the colours"),
        ("evaluation.json", _without("binarisation", "importance_samples"), "does not say the"),
        ("evaluation.json", lambda path: path.write_text("[1]"), "damaged: evaluation.json"),
    ],
)
def test_damaged_scores_of_test_images_are_named_and_scores_do_without_them(
    name, spoil, said, calibrated, pictures, capsys
):
    spoil(calibrated / name)
    with pytest.raises(RunError, match=said) as error:
        held_out_of(Run.open(calibrated))
    assert name in str(error.value)
    command = ["score", str(calibrated), str(pictures / "000.png"), "--importance-samples", "20"]
    assert main(command) == 0
    assert "percentile" in capsys.readouterr().out


# ---- no calibration


def _score(folder: Path, pictures: Path, *options: str) -> int:
    image = str(pictures / "000.png")
    return main(["score", str(folder), image, "--importance-samples", "20", "--json", *options])


@pytest.mark.slow
def test_a_run_without_a_calibration_is_calibrated_before_its_first_score(run, pictures, capsys):
    assert _score(run, pictures) == 0
    first = capsys.readouterr()
    assert "No calibration: making one." in first.err
    assert f"Saved as {run / 'calibration.safetensors'}." in first.err
    made = json.loads(first.out)["images"][0]
    assert made["verdict"]
    assert _score(run, pictures) == 0
    again = capsys.readouterr()
    assert "calibration" not in again.err
    read = json.loads(again.out)["images"][0]
    assert read["log_px"] == pytest.approx(made["log_px"], abs=1e-5)  # both are in float32
    same = ("percentile", "p_value", "verdict", "sentence")
    assert [read[name] for name in same] == [made[name] for name in same]


@pytest.mark.slow
def test_a_calibration_that_cannot_be_kept_is_used_this_time(run, pictures, capsys):
    (run / "calibration.safetensors").mkdir()  # which no file can take the place of
    assert _score(run, pictures) == 0
    printed = capsys.readouterr()
    assert "The calibration is used now, but not saved in the run's folder" in printed.err
    assert json.loads(printed.out)["images"][0]["percentile"] is not None


def test_none_is_made_for_images_of_another_binarisation(run, pictures, capsys):
    assert _score(run, pictures, "--binarisation", "threshold") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images"][0]["verdict"] is None
    assert "calibration" not in printed.err
    assert not (run / "calibration.safetensors").exists()


@pytest.mark.slow
def test_calibrating_where_nothing_can_be_written_fails_in_a_sentence(run, capsys):
    (run / "calibration.safetensors").mkdir()
    assert main(["calibrate", str(run)]) == 1
    printed = capsys.readouterr()
    assert "Not saved in the run's folder" in printed.err
    assert "calibrated with" in printed.out


# ---- too few images to keep


def test_a_calibration_of_few_images_does_not_take_the_place_of_a_good_one(calibrated, capsys):
    before = (calibrated / "calibration.safetensors").read_bytes()
    assert main(["calibrate", str(calibrated), "--limit", "99"]) == 2
    assert "none was written; use 100 or more" in capsys.readouterr().err
    assert (calibrated / "calibration.safetensors").read_bytes() == before


@pytest.mark.slow
def test_all_the_images_of_a_small_data_set_are_enough(run, monkeypatch, capsys):
    monkeypatch.setattr(calibrating, "FEWEST_IMAGES", 1000)  # of which the digits have 200
    assert main(["calibrate", str(run), "--limit", "199"]) == 2
    assert "use 200 or more" in capsys.readouterr().err
    assert main(["calibrate", str(run), "--limit", "200"]) == 0
    assert "200 images of digits validation; a logistic regression" in capsys.readouterr().out


@pytest.mark.slow
def test_an_evaluation_by_few_images_is_printed_and_a_good_one_is_kept(calibrated, capsys):
    report = calibrated / "detection.json"
    report.write_text("the one before")
    assert main(["detect", str(calibrated), "--limit", "3"]) == 0
    printed = capsys.readouterr()
    assert "AUROC" in printed.out
    assert "it uses 3 own images, fewer than 50" in printed.err
    assert report.read_text() == "the one before"


# ---- sentences


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", ".", "--limit", "abc"], "must be a whole number; it was 'abc'"),
        (["detect", ".", "--seed", "1.5"], "--seed: Seed must be a whole number"),
        (["sample", ".", "--out", "x.png", "--count", "100000000000"], "must be at most 10,000"),
        (["sample", ".", "--out", "x.png", "--count", "0"], "must be 1 or more"),
        (["train", "--class-head", "linear", "--decoder-of", "x"], "cannot learn a class head"),
    ],
)
def test_wrong_usage_is_explained(arguments, said, capsys):
    try:
        code = main(arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("decoder", "code", "said"),
    [("nonsense", 1, "decoder of 'nonsense' cannot be loaded"),
     ("../nonsense", 1, "decoder of '../nonsense' cannot be loaded"),
     ("pretrained/digits-mean-field-d16", 2, "does not fit")],
)  # fmt: skip
def test_a_decoder_that_cannot_be_kept_makes_no_run(decoder, code, said, tmp_path, capsys):
    folder = tmp_path / "new"
    assert main(["train", "--decoder-of", decoder, "--run", str(folder)]) == code
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert not folder.exists()


@pytest.mark.slow
def test_a_folder_for_a_table_is_refused_in_a_sentence(run, pictures, tmp_path, capsys):
    command = ["score", str(run), str(pictures), "--csv", str(tmp_path)]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert f"error: {tmp_path} is not a file" in said
    assert "Errno" not in said


@pytest.mark.thorough
@pytest.mark.slow
def test_a_class_head_is_named_beside_the_regression(tmp_path, capsys):
    folder = tmp_path / "run"
    command = ["train", "--class-head", "linear", "--hidden-size", "16", "--epochs", "2"]
    assert main([*command, "--run", str(folder)]) == 0
    capsys.readouterr()
    assert main(["calibrate", str(folder), "--limit", "100"]) == 0
    printed = capsys.readouterr().out
    found = calibration_of(Run.open(folder))
    assert found is not None
    head = found.protocol["class_head_accuracy"]
    assert (
        f"logistic regression on the latent has the right class in {found.classifier.accuracy:.1%}"
        in printed
    )
    assert printed.endswith(f", the class head in {head:.1%}.\n")


@pytest.mark.parametrize("name", ["x", "x.xyz", "x.mpg"])
def test_a_picture_that_cannot_be_written_is_refused_in_a_sentence(name, run, tmp_path, capsys):
    assert main(["sample", str(run), "--out", str(tmp_path / name)]) == 1
    assert f"error: '{name}' has no ending of an image format" in capsys.readouterr().err


def test_a_run_does_not_take_the_place_of_a_file(tmp_path, capsys):
    (tmp_path / "notes").write_text("mine")
    assert main(["train", "--run", str(tmp_path / "notes"), "--epochs", "1"]) == 2
    assert "notes is a file; a run needs a folder." in capsys.readouterr().err


# ---- errors that are nobody's sentence


class Broken:
    """Stands for a command that a bug ends."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, _given) -> int:
        raise self.error


@pytest.mark.parametrize("bug", [ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug")])
def test_a_bug_shows_its_traceback_and_has_status_70(bug, monkeypatch, capsys):
    monkeypatch.setattr("vae_core.cli.main.list_runs", Broken(bug))
    assert main(["runs"]) == 70
    printed = capsys.readouterr()
    assert not printed.out
    assert "Traceback (most recent call last)" in printed.err
    assert f"{type(bug).__name__}: " in printed.err
    assert printed.err.splitlines()[-1].startswith("error: This is a bug in the program.")


def test_a_bug_ends_the_whole_program_with_status_70():
    program = (
        "from vae_core.cli import main\n"
        "def broken(given): raise ValueError('a bug')\n"
        "main.list_runs = broken\n"
        "main.run_as_program()\n"
    )
    command = [sys.executable, "-c", program, "runs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 70, done.stderr
    assert "in broken" in done.stderr
    assert "ValueError: a bug" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried."), 1, "The GPU ran out of memory."),
        (InvalidArgument("K must be smaller."), 1, "error: K must be smaller."),
        (ConfigError("Not like this."), 2, "error: Not like this."),
        (PermissionError(13, "Permission denied", "a.png"), 1, "'a.png': Permission denied."),
    ],
)  # fmt: skip
def test_an_error_for_the_user_is_one_line(error, code, said, monkeypatch, capsys):
    monkeypatch.setattr("vae_core.cli.main.list_runs", Broken(error))
    assert main(["runs"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_help_states_every_exit_status(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("0 for success", "1 if", "2 for wrong usage", "70 for a bug", "130 after"):
        assert part in shown


# ---- many samples


def test_many_samples_are_the_images_of_their_latents(finished_model: VAE):
    images = finished_model.sample(1203, torch.Generator().manual_seed(0))
    z = torch.randn(1203, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(images, finished_model.mean_image(z))


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_the_command_without_a_word():
    command = [sys.executable, "-m", "vae_core", "datasets", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert said == b""
    assert process.returncode == 1
