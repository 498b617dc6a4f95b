"""``operating-point``: two groups of files, the rate that they choose, and the scores after it."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from vae_core.basics.paths import pretrained_folder
from vae_core.cli.main import main
from vae_core.data.datasets import load_dataset
from vae_core.scoring.typicality import verdict_of

pytestmark = pytest.mark.slow

PLAIN = ["--invert", "no", "--contrast", "no", "--crop", "no", "--centre", "no"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of test digits and of their negatives."""
    folder = tmp_path_factory.mktemp("pictures")
    images = load_dataset("digits").split("test")[0][:24, 0].numpy()
    for name in ("good", "bad"):
        (folder / name).mkdir()
    for index, image in enumerate(images):
        bad = index % 2 == 1
        file = folder / ("bad" if bad else "good") / f"{index}.png"
        Image.fromarray(255 - image if bad else image).save(file)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> str:
    folder = tmp_path / "run"
    shutil.copytree(pretrained_folder() / "digits-mean-field-d16", folder)
    return str(folder)


def compare(run: str, pictures: Path, *options: str) -> list[str]:
    groups = ["--good", str(pictures / "good"), "--bad", str(pictures / "bad")]
    return ["operating-point", run, *groups, *PLAIN, *options]


def test_a_saved_rate_is_that_of_later_scores_until_it_is_forgotten(capsys, run, pictures):
    assert (
        main(compare(run, pictures, "--share-bad", "0.3", "--save", "--by", "Ann", "--json")) == 0
    )
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert "scores of this model use it from now on" in captured.err
    assert found["way"] == "folds"
    assert (found["detected"]["images"], found["alarms"]["images"]) == (12, 12)
    assert found["costs"] == {"miss": 1.0, "alarm": 1.0, "share_bad": 0.3}
    assert found["areas"]["combined"]["value"] > 0.9
    rate = found["false_alarms"]
    assert rate != 0.04

    score = ["score", run, str(pictures / "good"), "--importance-samples", "50", *PLAIN, "--json"]
    assert main(score) == 0
    captured = capsys.readouterr()
    scored = json.loads(captured.out)
    assert (scored["false_alarms"], scored["false_alarms_from"]) == (rate, "operating point")
    assert "are called unlike it on average" in captured.err
    for row, image in zip(scored["images"], found["good"]["images"], strict=True):
        assert row["p_value"] == image["p_value"]
        assert row["verdict"] == verdict_of(row["p_value"], rate)

    assert main([*score, "--false-alarms", "0.04"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert (scored["false_alarms"], scored["false_alarms_from"]) == (0.04, "option")

    assert main(["operating-point", run]) == 0
    assert "by Ann, with 12 good and 12 bad images." in capsys.readouterr().out
    assert main(["operating-point", run, "--forget"]) == 0
    assert capsys.readouterr().out == "The operating point was forgotten.\n"
    assert main(["operating-point", run, "--forget", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["forgotten"] is False
    assert main(score) == 0
    scored = json.loads(capsys.readouterr().out)
    assert (scored["false_alarms"], scored["false_alarms_from"]) == (0.04, "default")


def test_a_damaged_operating_point_is_said_and_images_are_scored(capsys, run, pictures):
    (Path(run) / "operating_point.json").write_text("{")
    assert main(["score", run, str(pictures / "good" / "0.png"), "--importance-samples", "50"]) == 0
    assert "operating_point.json of" in capsys.readouterr().err
    assert main(["operating-point", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operating_point"] is None


def test_the_report_has_every_rate_and_every_area(capsys, run, pictures):
    assert main(compare(run, pictures, "--false-alarms", "0.05")) == 0
    said = capsys.readouterr().out
    assert "The rate was given, not chosen with these images." in said
    assert "Plain log p̂(x) has an area under the ROC curve of" in said
    assert "all together" in said
    assert not (Path(run) / "operating_point.json").exists()


def test_files_that_cannot_be_read_are_named_and_the_status_says_so(
    capsys, run, pictures, tmp_path
):
    (tmp_path / "notes.txt").write_text("no image")
    command = compare(run, pictures, "--bad", str(tmp_path / "notes.txt"), "--json")
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "notes.txt" in captured.err
    (failed,) = json.loads(captured.out)["bad"]["failed"]
    assert "notes.txt" in failed["file"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--good", "a.png"], "give --bad images too"),
        (["--save"], "--save needs images"),
        (["--good", "a.png", "--bad", "b.png", "--forget"], "--forget needs no images"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(capsys, run, options, said):
    assert main(["operating-point", run, *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--share-bad", "0"], ["--cost-miss", "-1"],
                                     ["--by", "x" * 81], ["--false-alarms", "0.5"]])  # fmt: skip
def test_options_out_of_bounds_are_wrong_usage(run, pictures, options):
    try:
        status = main(compare(run, pictures, *options))
    except SystemExit as wrong:
        status = wrong.code
    assert status == 2
