"""``compare``: several runs as text, JSON and CSV, and what it does with runs it cannot read."""

import csv
import json
import shutil
from pathlib import Path

from vae_core.basics.paths import pretrained_folder
from vae_core.cli.main import main

ONE, OTHER = "pretrained/digits-full-d2", "pretrained/digits-mean-field-d16"


def test_json_names_the_best_run_with_the_error_of_the_difference(capsys) -> None:
    assert main(["compare", ONE, OTHER, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in found["runs"]] == [ONE, OTHER]
    assert found["refused"] == []
    ranking = found["groups"][0]["rankings"]["log_px"]
    assert ranking["best"] == OTHER
    assert ranking["below_the_highest"][0]["se"] > 0
    assert {s["name"]: s["values"] for s in found["differing_settings"]}["latent_size"] == [2, 16]


def test_the_text_has_settings_figures_and_a_sentence(capsys) -> None:
    assert main(["compare", ONE, OTHER]) == 0
    text = capsys.readouterr().out
    assert "Latent size d" in text
    assert "300 images of Digits" in text
    assert "has the highest log p̂(x)" in text
    assert "Samples L" not in text  # equal in both


def test_a_run_given_twice_is_compared_once(capsys) -> None:
    assert main(["compare", ONE, ONE, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 1


def test_a_run_that_cannot_be_read_costs_only_itself(capsys, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(pretrained_folder() / "digits-full-d2", broken)
    (broken / "config.json").write_text("{")
    assert main(["compare", str(broken), OTHER, "--json"]) == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [run["id"] for run in found["runs"]] == [OTHER]
    assert "The run broken is damaged" in found["refused"][0]["error"]
    assert "The run broken is damaged" in captured.err


def test_csv_has_a_row_for_each_run_in_each_group(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    assert main(["compare", ONE, OTHER, "--csv", str(file)]) == 0
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert [(row["id"], row["group"]) for row in rows] == [
        (ONE, "1"), (ONE, "2"), (OTHER, "1"), (OTHER, "2"),
    ]  # fmt: skip
    assert [row["best_log_px"] for row in rows[::2]] == ["no", "yes"]
    assert float(rows[0]["log_px_se"]) > 0
