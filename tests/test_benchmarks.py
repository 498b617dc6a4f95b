"""Benchmarks, tiny and on the processor, so that they are known to run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import false_alarms, gpu, roc
from vae_core.scoring.detection import SCORES

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_script_for_a_card_runs_and_all_that_it_promises_holds_here(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    rows = gpu.main(["--device", "cpu", "--size", "tiny", "--json", str(file)])
    assert [row.what for row in rows if row.good is False] == []
    assert sum(row.good is True for row in rows) >= 12
    assert [each["what"] for each in json.loads(file.read_text())] == [row.what for row in rows]


@pytest.mark.slow
def test_the_script_for_a_card_needs_no_streamlit() -> None:
    code = "import sys; import tests.benchmarks.gpu; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


@pytest.mark.slow
def test_false_alarms_of_fresh_images_are_within_their_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ["--images", "60", "--calibration", "200"]  # the calibration that is stored
    rows = false_alarms.main(["pretrained/digits-full-d2", *few, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["held_out"], len(told["p_values"])) == (60, 200, 60)
    assert told["seconds_an_image"] > 0
    overall = [row for row in rows if row.group == "all"]
    assert [row.false_alarms for row in overall] == [0.01, 0.04, 0.10]
    assert all(row.is_inside for row in overall)
    for row, rate in zip(overall, told["rows"], strict=False):
        assert row.called == sum(p <= rate["false_alarms"] + 1e-9 for p in told["p_values"])
        assert row.called == sum(r.called for r in rows if r.group != "all"
                                 and r.false_alarms == row.false_alarms)  # fmt: skip


def test_the_interval_of_false_alarms_is_that_of_simulated_calibrations() -> None:
    random = np.random.default_rng(0)
    limit = np.sort(random.random((4000, 99)), 1)[:, 3]  # p ≤ 4 % for values below it
    called = random.binomial(200, limit) / 200
    low, high = np.quantile(called, [0.025, 0.975])
    assert false_alarms.interval(0.04, 99, 200) == pytest.approx((low, high), abs=0.011)
    assert false_alarms.interval(0.004, 99, 200) == (0.0, 0.0)


@pytest.mark.slow
def test_one_class_is_told_from_the_others_by_every_score(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ["--good", "0", "--images", "18", "--calibration", "15", "--importance-samples", "20"]
    told = roc.main(["pretrained/digits-full-d2", *few])
    assert "gain" in capsys.readouterr().out
    assert (told["good_images"], told["bad_images"], told["held_out"]) == (18, 18, 15)
    assert list(told["scores"]) == list(SCORES)
    assert told["scores"]["log_px"]["gain"][0] == 0
    assert told["scores"]["latent_distance"]["auroc"][0] > 0.7
    for row in told["scores"].values():
        shares = [each[0] for each in row["found"]]
        assert shares == sorted(shares)
        assert shares[0] == 0, "15 held-out images do not support 1 %"
    mean = np.mean([each["combined"] for each in told["auroc_by_class"].values()])
    assert mean == pytest.approx(told["scores"]["combined"]["auroc"][0], abs=1e-9)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="makes pipes; memory is read from /proc")
@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("store", "4, 0.5", ("the first list of the store: 0.", "without work: ", "Train page: ")),
        (
            "hostile",
            "150, 1, ('list', 'worker', 'sample', 'page train')",
            ("| list | 3 |", "| worker | 3 |", "| sample | 3 |", "| page train | 3 |"),
        ),
    ],
)
def test_the_benchmarks_of_run_stores_run(name: str, size: str, said: tuple[str, ...]) -> None:
    code = f"from tests.benchmarks import {name}; {name}.main({size})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(text in done.stdout for text in said), done.stdout
