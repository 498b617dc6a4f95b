"""The command line with a pretrained model of MNIST, where MNIST is not and cannot be had."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.mirror import source_of, use_source
from vae_core.basics.paths import pretrained_folder
from vae_core.cli.main import main

MODEL = str(pretrained_folder() / "mnist-full-d2")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    nobody = dataclasses.replace(source_of("mnist"), mirrors=("http://127.0.0.1:9/",))
    use_source("mnist", nobody, monkeypatch)


@pytest.mark.parametrize("command", ["evaluate", "gap", "calibrate", "detect"])
def test_what_needs_the_data_says_so_in_a_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime for path in Path(MODEL).iterdir()}
    assert main([command, MODEL, "--limit", "2"]) == 1
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    assert not out
    assert len(said) == 1
    assert said[0].startswith("error: MNIST 28×28 (12 MB) is not on this computer: ")
    assert "VAE_DATA_DIR" in said[0]
    assert {path: path.stat().st_mtime for path in Path(MODEL).iterdir()} == before


def test_an_image_gets_its_whole_score_without_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seven = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(seven).line([(60, 50), (140, 50), (90, 160)], fill=0, width=14)
    seven.save(tmp_path / "seven.png")
    assert main(["score", MODEL, str(tmp_path / "seven.png"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["images"][0]
    assert row["log_px"] < 0
    assert 0 < row["percentile"] < 100
    assert row["verdict"]
    assert sum(row["class_probabilities"]) == pytest.approx(1)
    assert len(row["nearest_labels"]) == 5


def test_without_the_data_and_a_calibration_there_is_a_score_and_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("calibration*"))
    Image.new("L", (28, 28), 90).save(tmp_path / "grey.png")
    command = ["score", str(folder), str(tmp_path / "grey.png"), "--importance-samples", "20"]
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    assert "No calibration could be made, so scores have no verdict: MNIST" in printed.err
    row = json.loads(printed.out)["images"][0]
    assert row["log_px"] < 0
    assert row["percentile"] is row["verdict"] is None


def test_the_model_draws_without_the_data(tmp_path: Path) -> None:
    assert main(["sample", MODEL, "--count", "4", "--out", str(tmp_path / "four.png")]) == 0
    with Image.open(tmp_path / "four.png") as drawn:
        assert drawn.width >= 28
