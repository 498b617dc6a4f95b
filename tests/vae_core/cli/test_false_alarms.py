"""The false-alarm rate of ``score``: in verdicts, JSON and tables."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from vae_core.cli.main import main
from vae_core.data.datasets import load_dataset
from vae_core.scoring.typicality import verdict_of

pytestmark = pytest.mark.slow

MODEL = "pretrained/digits-full-d2"


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    images = load_dataset("digits").split("test")[0][:6, 0].numpy()
    paths = [tmp_path / f"{index}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(255 - image if path.stem == "5" else image).resize((40, 40)).save(path)
    return list(map(str, paths))


def scored(capsys: pytest.CaptureFixture[str], pictures: list[str], *options: str) -> dict:
    command = ["score", MODEL, *pictures, "--importance-samples", "50", "--invert", "no"]
    assert main([*command, *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_verdict_follows_the_rate(capsys, pictures):
    usual, lax = scored(capsys, pictures), scored(capsys, pictures, "--false-alarms", "0.2")
    assert (usual["false_alarms"], lax["false_alarms"]) == (0.04, 0.2)
    low, high = lax["false_alarms_between"]
    assert 0.1 < low < 0.2 < high < 0.3
    for one, other in zip(usual["images"], lax["images"], strict=True):
        assert one["p_value"] == other["p_value"]
        assert one["verdict"] == verdict_of(one["p_value"], 0.04)
        assert other["verdict"] == verdict_of(one["p_value"], 0.2)


def test_a_rate_that_the_held_out_images_cannot_show_is_refused(capsys, pictures):
    assert main(["score", MODEL, pictures[0], "--false-alarms", "0.001"]) == 1
    said = capsys.readouterr().err
    assert "needs 999 held-out images, and this calibration has 200." in said
    assert "Choose 0.005 or more." in said
    with pytest.raises(SystemExit, match="2"):
        main(["score", MODEL, pictures[0], "--false-alarms", "0.7"])


def test_a_table_has_one_rate(capsys, pictures, tmp_path):
    table = tmp_path / "scores.csv"
    command = ["score", MODEL, pictures[0], "--importance-samples", "50", "--csv", str(table)]
    assert main([*command, "--false-alarms", "0.1"]) == 0
    (row,) = csv.DictReader(table.read_text("utf-8").splitlines())
    assert row["false_alarms"] == "0.1"
    assert main(command) == 1
    assert "have false_alarms = 0.1, not 0.04; use another file" in capsys.readouterr().err
