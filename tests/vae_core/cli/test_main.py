"""The command line as a user meets it: what it prints, what it returns, what it leaves behind."""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_core.cli.main import main
from vae_core.cli.rows import COLUMNS, PIXEL_COLUMNS, PREPARATION
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.proposals import ESTIMATES_TO, refined_log_density
from vae_core.runs.checkpoint import load_model, save_model
from vae_core.settings.protocol import DRAWN_FROM

pytestmark = pytest.mark.slow

TRAIN = ["train", "--dataset", "digits", "--hidden-size", "32", "--samples", "1", "--seed", "0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    code = main([*TRAIN, "--posterior", "full", "--latent-size", "2", "--epochs", "3",
                 "--run", str(folder)])  # fmt: skip
    assert code == 0
    return folder


@pytest.fixture
def pictures(digits: Dataset, tmp_path) -> Path:
    """A folder with two digits and a file that is no image."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in (0, 1):
        Image.fromarray(digits.images[-1 - index, 0].numpy()).save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"this is no picture")
    return folder


def output(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_the_whole_program_prints_one_json_object(run):
    command = [sys.executable, "-m", "vae_core", "evaluate", str(run), "--json",
               "--importance-samples", "50", "--split", "test", "--limit", "20"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    assert set(figures) == {
        "dataset", "split", "binarisation", "images", "importance_samples", "seed", "elbo",
        "elbo_se", "expected_log_likelihood", "kl", "log_px", "log_px_se", "bits_per_dim", "ess",
        "share_pareto_k_above_0_7", "proposal", "likelihood", "pixels", "weights",
    }  # fmt: skip
    assert figures["images"] == 20
    assert figures["importance_samples"] == 50
    assert figures["proposal"] == "encoder"
    assert figures["elbo"] < figures["log_px"] < 0


def test_it_can_draw_from_proposals_of_each_image(run, capsys):
    arguments = ["evaluate", str(run), "--importance-samples", "50", "--limit", "20"]
    assert main([*arguments, "--proposal", "refined", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["proposal"] == "refined"
    images = evaluation_images(load_dataset("digits"), "test", "dynamic", 0, 20)[0]
    expected = refined_log_density(load_model(run), images, 50).log_px.mean().item()
    assert figures["log_px"] == pytest.approx(expected, abs=1e-6)
    assert main([*arguments, "--proposal", "refined"]) == 0
    told = capsys.readouterr().out
    assert "K = 50 from a q refined for each image · seed 0" in told
    assert "ELBO of the encoder's q(z|x) = " in told


def test_the_elbo_is_the_encoders_whatever_the_samples_come_from(run, capsys):
    arguments = ["evaluate", str(run), "--importance-samples", "50", "--limit", "20", "--json"]
    of_encoder, of_refined = (
        (main([*arguments, "--proposal", proposal]), json.loads(capsys.readouterr().out))[1]
        for proposal in ("encoder", "refined")
    )
    assert of_refined["log_px"] != of_encoder["log_px"]
    for name in ("elbo", "elbo_se", "expected_log_likelihood", "kl"):
        assert of_refined[name] == of_encoder[name]


@pytest.mark.parametrize("proposal", ["encoder", "refined"])
def test_it_draws_until_a_standard_error_is_reached(run, capsys, proposal):
    arguments = ["evaluate", str(run), "--se", "0.05", "--limit", "5", "--proposal", proposal]
    assert main([*arguments, "--json"]) == 0
    figures = output(capsys)
    x = evaluation_images(load_dataset("digits"), "test", "dynamic", 0, 5)[0]
    expected = ESTIMATES_TO[proposal](load_model(run), x, 0.05, 1_000_000)
    assert expected.reached.all()
    assert (expected.density.se <= 0.05).all()
    assert figures["log_px"] == pytest.approx(expected.density.log_px.mean().item(), abs=1e-6)
    assert figures["importance_samples"] == expected.samples.max()
    assert figures["importance_samples_mean"] == expected.samples.double().mean()
    assert (figures["se_wanted"], figures["images_not_reached"]) == (0.05, 0)
    assert main(arguments) == 0
    mean = f"K = {figures['importance_samples_mean']:.0f} on average from {DRAWN_FROM[proposal]}"
    printed = capsys.readouterr().out
    assert f"{mean} until the standard error of an image is 0.05 nats" in printed
    assert "no images above it" in printed


def test_a_standard_error_out_of_reach_is_said(run, capsys, monkeypatch):
    monkeypatch.setattr("vae_core.cli.evaluate.MAX_IMPORTANCE_SAMPLES", 1200)
    assert main(["evaluate", str(run), "--se", "1e-5", "--limit", "3"]) == 0
    expected = "K = 1200 on average from the encoder's q(z|x) until the standard error of an image"
    assert f"{expected} is 1e-05 nats, 3 images above it" in capsys.readouterr().out


def test_training_leaves_a_whole_run(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert json.loads((run / "config.json").read_text())["model"]["latent_size"] == 2


def test_the_last_weights_can_be_measured_and_sampled_from(run, tmp_path, capsys):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    other = load_model(copy)
    next(other.decoder.parameters()).mul_(2)
    save_model(other, copy / "last.safetensors")
    arguments = ["evaluate", str(copy), "--limit", "5", "--importance-samples", "5"]

    def figures(*more: str) -> dict:
        assert main([*arguments, "--json", *more]) == 0
        return output(capsys)

    kept, last = figures(), figures("--weights", "last")
    assert (kept["weights"], last["weights"]) == ("kept", "last")
    assert kept["log_px"] != last["log_px"]
    assert main([*arguments, "--weights", "last"]) == 0
    assert "with the last weights" in capsys.readouterr().out
    picture = str(tmp_path / "samples.png")
    assert main(["sample", str(copy), "--weights", "last", "--count", "2", "--out", picture]) == 0
    (copy / "last.safetensors").unlink()
    assert main([*arguments, "--weights", "last"]) == 1
    assert "a run keeps them when it ends" in capsys.readouterr().err


def test_the_command_says_which_epoch_it_kept(run, capsys):
    assert main(["train", "--run", str(run), "--resume"]) == 0
    said = capsys.readouterr().err
    assert "The weights are those of epoch" in said
    assert "the best by the ELBO on validation images." in said


def test_a_limit_takes_the_first_images_of_the_same_draw(run, capsys):
    def first_score(limit: str) -> float:
        main(["evaluate", str(run), "--json", "--importance-samples", "5", "--limit", limit])
        return output(capsys)["log_px"]

    assert first_score("1") == first_score("1") != first_score("2")


@pytest.mark.thorough
def test_an_interrupted_run_goes_on_with_the_same_command(tmp_path, capsys):
    folder = tmp_path / "run"
    command = [*TRAIN, "--epochs", "500", "--run", str(folder), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "vae_core", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        while not (folder / "metrics.jsonl").is_file() or not _epochs(folder):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(2)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(printed)["state"] == "paused"
    before = len(_epochs(folder))
    short = [sys.executable, "-m", "vae_core", *command, "--resume"]
    assert main(["train", "--run", str(folder), "--resume", "--epochs", "400"]) == 2
    with subprocess.Popen(short, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while len(_epochs(folder)) < before + 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(2)
    assert _epochs(folder) == list(range(1, len(_epochs(folder)) + 1))
    assert "epochs = 500" in capsys.readouterr().err


def _epochs(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().split("\n")[:-1]
    return [json.loads(line)["epoch"] for line in lines]


def test_scores_name_what_cannot_be_read_and_score_the_rest(run, pictures, capsys):
    code = main(["score", str(run), str(pictures), "--importance-samples", "200", "--json"])
    rows = {Path(row["file"]).name: row for row in output(capsys)["images"]}
    assert code == 1
    assert rows["broken.png"]["ok"] is False
    assert "broken.png" in rows["broken.png"]["error"] or "image" in rows["broken.png"]["error"]
    for name in ("0.png", "1.png"):
        assert rows[name]["ok"] is True
        assert list(rows[name]) == ["file", "ok", "sha256", *PREPARATION, *COLUMNS]
        assert rows[name]["preparation"].startswith("Opened: ")
        assert rows[name]["log_px"] < 0 < rows[name]["se"]
        assert 0 <= rows[name]["percentile"] <= 100
        assert 0 < rows[name]["p_value"] <= 1


def test_scoring_readable_images_succeeds_and_repeats(run, pictures, capsys):
    command = ["score", str(run), str(pictures / "0.png"), "--importance-samples", "100", "--json"]
    assert main(command) == 0
    first = output(capsys)
    assert main(command) == 0
    assert output(capsys) == first


def test_numbers_json_does_not_know_become_null(run, pictures, capsys):
    """With K = 10 there is no tail to judge: Pareto k̂ is not a number."""
    assert (
        main(["score", str(run), str(pictures / "0.png"), "--importance-samples", "10", "--json"])
        == 0
    )
    assert output(capsys)["images"][0]["pareto_k"] is None


@pytest.fixture
def calibrated(run, tmp_path, capsys) -> Path:
    folder = tmp_path / "calibrated"
    shutil.copytree(run, folder)
    assert main(["calibrate", str(folder), "--limit", "100", "--json"]) == 0
    about = output(capsys)
    assert (about["images"], about["split"]) == (100, "validation")
    assert 0 < about["class_accuracy"] <= 1
    return folder


def test_a_calibrated_run_gives_every_figure(calibrated, pictures, capsys):
    code = main(["score", str(calibrated), str(pictures / "0.png"), "--json",
                 "--importance-samples", "50"])  # fmt: skip
    (row,) = output(capsys)["images"]
    assert code == 0
    unknown = [name for name in COLUMNS if row[name] is None]
    assert unknown == ["class_probabilities_se"]  # a logistic regression has none
    assert len(row["nearest_indices"]) == len(row["nearest_labels"]) == 5
    assert sum(row["class_probabilities"]) == pytest.approx(1, abs=1e-5)
    assert row["verdict"] in ("typical", "unusual", "unlike the training data")
    assert row["sentence"].lower().startswith(row["verdict"])


def test_a_picture_without_ink_is_said_to_show_nothing(run, tmp_path, capsys):
    Image.new("L", (50, 50), 255).save(tmp_path / "paper.png")
    command = ["score", str(run), str(tmp_path / "paper.png"), "--importance-samples", "50"]
    assert main(command) == 0
    assert "of an empty image" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert output(capsys)["images"][0]["shows_nothing"] is True


def test_maps_say_where_in_an_image_the_likelihood_comes_from(run, pictures, tmp_path, capsys):
    path = tmp_path / "scores.csv"
    command = ["score", str(run), str(pictures / "0.png"), "--importance-samples", "50",
               "--pixel-maps"]  # fmt: skip
    assert main([*command, "--json"]) == 0
    (row,) = output(capsys)["images"]
    seen, again, by_pixel = (row[name] for name in PIXEL_COLUMNS)
    assert len(seen) == len(again) == len(by_pixel) == 64
    assert set(seen) == {0.0, 1.0}
    assert all(0 <= each <= 1 for each in again)
    assert max(by_pixel) < 0  # log-probabilities of binary pixels
    assert sum(by_pixel) == pytest.approx(row["expected_log_likelihood"], abs=3)
    assert main([*command, "--csv", str(path)]) == 0
    with path.open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert list(map(float, cells["pixels_log_likelihood"].split())) == by_pixel


def test_a_table_that_was_cut_goes_on_to_the_same_end(run, pictures, tmp_path, capsys):
    path = tmp_path / "scores.csv"
    command = ["score", str(run), str(pictures), "--importance-samples", "50", "--csv", str(path)]
    assert main(command) == 1
    whole = path.read_bytes()
    rows = list(csv.DictReader(whole.decode().splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["0.png", "1.png", "broken.png"]
    path.write_bytes(whole[: whole.index(b"1.png") + 3])
    capsys.readouterr()
    assert main(command) == 1
    again = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["file"] for row in again] == [row["file"] for row in rows]
    assert again[0] == rows[0]
    assert float(again[1]["log_px"]) == pytest.approx(float(rows[1]["log_px"]), abs=1e-4)
    assert "0.png" not in capsys.readouterr().out, "it was there already"
    assert main([*command, "--seed", "1"]) == 1
    assert "seed = 0, not 1" in capsys.readouterr().err
    assert list(csv.DictReader(path.read_text().splitlines())) == again


def test_the_same_command_scores_a_file_that_was_mended(run, pictures, tmp_path, capsys):
    path = tmp_path / "scores.csv"
    command = ["score", str(run), str(pictures), "--importance-samples", "50", "--csv", str(path)]
    for _ in range(2):
        assert main(command) == 1
        assert "broken.png is not an image" in capsys.readouterr().out, "each time"
    shutil.copy(pictures / "0.png", pictures / "broken.png")
    shutil.copy(pictures / "0.png", pictures / "1.png")
    assert main(command) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [Path(row["file"]).stem for row in rows] == ["0", "1", "1", "broken"]
    assert rows[0]["sha256"] == rows[2]["sha256"] == rows[3]["sha256"] != rows[1]["sha256"]
    (pictures / "broken.png").unlink()
    assert main(command) == 0


@pytest.mark.thorough
def test_a_killed_program_leaves_rows_and_the_next_one_the_rest(run, digits, tmp_path):
    folder, path = tmp_path / "many", tmp_path / "scores.csv"
    folder.mkdir()
    for index in range(150):
        Image.fromarray(digits.images[index, 0].numpy()).save(folder / f"{index:03}.png")
    command = [sys.executable, "-m", "vae_core", "score", str(run), str(folder), "--csv", str(path),
               "--importance-samples", "2000"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not path.is_file() or path.read_bytes().count(b"\n") < 10:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    before = path.read_bytes()
    assert before.count(b"\n") < 150
    assert main([*command[3:-1], "2000"]) == 0
    assert path.read_bytes().startswith(before[: before.rindex(b"\n") + 1])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [Path(row["file"]).stem for row in rows] == [f"{index:03}" for index in range(150)]


@pytest.mark.thorough
def test_detection_is_a_table_and_one_json_object(calibrated, pictures, capsys):
    command = ["detect", str(calibrated), "--limit", "25", "--folder", str(pictures)]
    assert main([*command, "--json"]) == 0
    report = output(capsys)
    assert (report["own_images"], report["seed"]) == (25, 0)
    assert report["calibration"]["binarisation"] == "dynamic"
    assert report["kinds"]["noise"]["images"] == 25
    assert report["kinds"][str(pictures)]["images"] == 2
    for kind in report["kinds"].values():
        for separation in kind["scores"].values():
            assert all(0 <= value <= 1 for value in separation.values())
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert all(kind in printed for kind in report["kinds"])
    assert "AUROC" in printed
    assert "Raw log p(x)" in printed
    assert not (calibrated / "detection.json").exists(), "it is of somebody's own folders"


def test_a_calibration_that_cannot_be_kept_is_printed_and_has_failed(run, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    (folder / "calibration.safetensors").unlink(missing_ok=True)
    (folder / "calibration.safetensors").mkdir()  # which no file can take the place of
    assert main(["calibrate", str(folder), "--limit", "100", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images"] == 100
    assert "Not saved in the run's folder" in printed.err


@pytest.mark.thorough
def test_an_evaluation_that_cannot_be_kept_is_printed_all_the_same(calibrated, capsys):
    (calibrated / "detection.json").mkdir()  # which no file can take the place of
    assert main(["detect", str(calibrated), "--limit", "50"]) == 0
    printed = capsys.readouterr()
    assert "AUROC" in printed.out
    assert "Not saved in the run's folder" in printed.err


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--foreign", "digits"], "leave out --foreign"),
        (["--limit", "50"], "leave out --limit and --seed"),
        (["--seed", "3"], "leave out --limit and --seed"),
    ],
)
def test_missing_kinds_have_the_images_of_the_saved_report(run, extra, said, capsys):
    assert main(["detect", str(run), "--missing", *extra]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.thorough
def test_detection_makes_the_calibration_that_is_missing(run, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(run, folder)
    assert main(["detect", str(folder), "--limit", "50"]) == 0
    assert (folder / "calibration.safetensors").is_file()
    report = folder / "detection.json"
    assert json.loads(report.read_text())["own_images"] == 50
    assert "Saved as" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["detect", str(folder), "--limit", "5", "--folder", str(tmp_path / "empty")]) == 1
    assert "no image" in capsys.readouterr().err


def test_samples_are_a_picture(run, tmp_path):
    out = tmp_path / "samples.png"
    assert main(["sample", str(run), "--count", "6", "--out", str(out)]) == 0
    assert np.asarray(Image.open(out)).std() > 0


def test_runs_lists_the_store(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path))
    assert main([*TRAIN, "--epochs", "1", "--title", "mine"]) == 0
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    (row,) = output(capsys)["runs"]
    assert (row["name"], row["state"]) == ("mine", "done")
    (tmp_path / "rubble").mkdir()
    assert main(["runs"]) == 0, "a folder without any file of a run is none"
    (tmp_path / "rubble" / "config.json").write_text("{")
    assert main(["runs"]) == 1
    assert "damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["train", "--posterior", "magic"],
        ["train", "--epochs", "many"],
        ["train", "--epochs", "0"],
        ["train", "--learning-rate", "nan"],
        ["train", "--resume"],
        ["evaluate"],
        ["evaluate", ".", "--importance-samples", "0"],
        ["evaluate", ".", "--importance-samples", "1000001"],
        ["evaluate", ".", "--se", "0"],
        ["evaluate", ".", "--se", "inf"],
        ["evaluate", ".", "--se", "small"],
        ["sample", "."],
    ],
)
def test_wrong_usage_is_status_2_with_a_sentence(arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert "error: " in capsys.readouterr().err


def test_a_folder_in_use_is_not_trained_into(run, capsys):
    before = (run / "metrics.jsonl").read_text()
    assert main([*TRAIN, "--epochs", "1", "--run", str(run)]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (run / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("command", ["evaluate", "score", "calibrate", "detect", "sample"])
def test_what_is_no_run_is_status_1_with_a_sentence(command, tmp_path, capsys):
    extra = {"score": ["x.png"], "sample": ["--out", str(tmp_path / "x.png")]}.get(command, [])
    assert main([command, str(tmp_path), *extra]) == 1
    assert "is not a run" in capsys.readouterr().err


def test_a_damaged_model_is_named(run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "model.safetensors").write_bytes(b"\x00" * 100)
    assert main(["evaluate", str(copy), "--limit", "5"]) == 1
    assert "cannot be read" in capsys.readouterr().err


def _cut_short(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])


def _of_another_version(checkpoint: Path) -> None:
    import torch

    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "format": state["format"] - 1}, checkpoint)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_cut_short, "checkpoint of this run is damaged"),
        (_of_another_version, "paused by another version of the program"),
    ],
)
def test_a_checkpoint_of_no_use_is_named_and_the_model_kept(run, tmp_path, capsys, spoil, said):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    status = json.loads((copy / "status.json").read_text())
    (copy / "status.json").write_text(json.dumps({**status, "state": "paused"}))
    spoil(copy / "resume.pt")
    assert main(["train", "--run", str(copy), "--resume"]) == 1
    assert said in capsys.readouterr().err
    assert main(["evaluate", str(copy), "--limit", "2", "--importance-samples", "5"]) == 0


def test_damaged_figures_are_named_and_the_list_is_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path))
    assert main([*TRAIN, "--epochs", "1"]) == 0
    (evaluation,) = tmp_path.glob("*/evaluation.json")
    evaluation.write_text('{"elbo": 1')
    capsys.readouterr()
    assert main(["runs", "--json"]) == 1
    (row,) = output(capsys)["runs"]
    assert row["state"] == "damaged"
    assert "evaluation.json" in row["error"]


def test_a_preset_is_a_start_that_other_options_change(tmp_path, capsys):
    folder = str(tmp_path / "run")
    assert main([*TRAIN, "--preset", "quick", "--epochs", "1", "--run", folder]) == 0
    model = json.loads((tmp_path / "run" / "config.json").read_text())["model"]
    assert (model["posterior"], model["latent_size"], model["hidden_size"]) == (
        "mean-field",
        50,
        32,
    )
    assert main(["train", "--preset", "quick", "--resume", "--run", folder]) == 2
    assert "--preset is not allowed" in capsys.readouterr().err


@pytest.fixture(scope="module")
def grey_run(tmp_path_factory) -> Path:
    """A run whose p(x) is a density of grey values."""
    folder = tmp_path_factory.mktemp("cli") / "grey"
    grey = ["--likelihood", "continuous-bernoulli", "--binarisation", "none", "--epochs", "1"]
    assert main([*TRAIN, *grey, "--latent-size", "2", "--run", str(folder)]) == 0
    return folder


def test_a_density_of_grey_values_is_named_and_has_no_bits(grey_run, pictures, capsys, tmp_path):
    one = str(pictures / "0.png")
    score = ["score", str(grey_run), one, "--importance-samples", "50"]
    assert main([*score, "--json"]) == 0
    found = output(capsys)
    named = {"likelihood": "continuous-bernoulli", "binarisation": "none",
             "pixels": "grey values, continuous-bernoulli density"}  # fmt: skip
    assert named.items() <= found.items()
    assert found["images"][0]["bits_per_dim"] is None
    assert main([*score, "--csv", str(tmp_path / "table.csv")]) == 0
    printed = capsys.readouterr().out
    assert "a density of grey values: compare it within this model only" in printed
    assert "; grey values, continuous-bernoulli density." in printed
    assert "bits/dim" not in printed
    with (tmp_path / "table.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert named.items() <= row.items()
    assert row["bits_per_dim"] == ""
    few = ["--limit", "5", "--importance-samples", "50"]
    assert main(["evaluate", str(grey_run), *few, "--json"]) == 0
    figures = output(capsys)
    assert named.items() <= figures.items()
    assert figures["bits_per_dim"] is None
    assert main(["evaluate", str(grey_run), *few]) == 0
    assert "log p(x) is a density of grey values" in capsys.readouterr().out


def test_an_error_that_is_not_known_is_null_empty_and_said(run, pictures, capsys, tmp_path):
    """With K = 10 no k̂ exists, so the estimate cannot be trusted."""
    score = ["score", str(run), str(pictures / "0.png"), "--importance-samples", "10"]
    assert main([*score, "--json"]) == 0
    (row,) = output(capsys)["images"]
    assert (row["se"], row["trusted"]) == (None, False)
    assert main([*score, "--csv", str(tmp_path / "table.csv")]) == 0
    assert "nats (error not known) (do not trust this number" in capsys.readouterr().out
    with (tmp_path / "table.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["se"] == ""


def test_grey_values_under_a_bernoulli_are_named(run, pictures, capsys):
    score = ["score", str(run), str(pictures / "0.png"), "--importance-samples", "50"]
    assert main([*score, "--binarisation", "none"]) == 0
    assert "bits/dim; grey values, not a likelihood." in capsys.readouterr().out
    assert main([*score, "--binarisation", "none", "--json"]) == 0
    assert output(capsys)["pixels"] == "grey values, not a likelihood"
