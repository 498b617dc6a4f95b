"""The command ``classify``: figures of each way, and files of the user."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_core.cli.main import main
from vae_core.data.datasets import load_dataset

pytestmark = pytest.mark.slow

FEW = ["--limit", "40", "--importance-samples", "20"]


def test_files_are_classified_by_every_way_and_one_that_cannot_be_read_has_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = load_dataset("digits").split("test")
    large = Image.fromarray(images[13, 0].numpy()).resize((80, 80))
    large.save(tmp_path / "digit.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = [str(tmp_path / name) for name in ("digit.png", "broken.png")]
    model = "pretrained/digits-mean-field-d16"
    assert main(["classify", model, *files, *FEW, "--json"]) == 1  # not all could be read
    said = json.loads(capsys.readouterr().out)
    good, bad = said["files"]
    assert "broken.png" in bad["error"]
    assert set(good["ways"]) == set(said["ways"]) == {"logistic", "neighbours"}
    for each in good["ways"].values():
        assert sum(each["probabilities"]) == pytest.approx(1)
        assert int(np.argmax(each["probabilities"])) == int(labels[13])


def test_the_figures_are_printed_a_line_for_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "pretrained/digits-mean-field-d16", *FEW]) == 0
    said = capsys.readouterr().out
    assert "Logistic regression" in said
    assert said.count("accuracy") == 2
