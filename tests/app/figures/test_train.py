"""What the plots of a run show, and where they come from."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.figures import style, train
from app.parts.text import duration
from app.services.history import Reader
from app.views.train import film, panels
from app.views.train.estimate import estimate
from vae_core.basics.devices import DeviceError
from vae_core.runs.recipes import RECIPES
from vae_core.runs.run import METRICS_FILE, Run
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig

EPOCHS = list(range(1, 31))
CURVE = [-40 + 20 * (1 - math.exp(-e / 5)) for e in EPOCHS]
TRAIN = {"elbo": CURVE, "log_px_z": [v + 3 for v in CURVE], "kl": [3.0] * 30}
VALIDATION = {name: [v - 0.5 for v in values] for name, values in TRAIN.items()}
VALIDATION |= {"elbo_se": [0.2] * 30}


def named(figure: Any, name: str) -> Any:
    (trace,) = [t for t in figure.data if t.name == name]
    return trace


# ---- figures


def test_training_is_dotted_validation_solid_and_each_quantity_keeps_its_colour() -> None:
    figure: Any = train.terms_figure(EPOCHS, TRAIN, VALIDATION, last_epoch=30)
    for _, label, quantity in train.TERMS:
        solid, dotted = named(figure, label), named(figure, f"{label}, training")
        assert (solid.line.dash, dotted.line.dash) == ("solid", "dot")
        assert solid.line.color == dotted.line.color == quantity.colour
    assert list(named(figure, "ELBO").y) == VALIDATION["elbo"]
    assert list(named(figure, "ELBO, training").y) == TRAIN["elbo"]


def test_the_epoch_under_way_continues_the_training_curves_only() -> None:
    terms = {"elbo": -21.0, "log_px_z": -18.0, "kl": 3.0}
    figure: Any = train.terms_figure(EPOCHS, TRAIN, VALIDATION, (30.4, terms), last_epoch=50)
    dotted = named(figure, "ELBO, training")
    assert (dotted.x[-1], dotted.y[-1]) == (30.4, -21.0)
    assert list(named(figure, "ELBO").x) == EPOCHS


def test_within_the_first_epoch_there_is_a_point_to_see() -> None:
    nothing = {"elbo": [], "log_px_z": [], "kl": [], "elbo_se": []}
    terms = {"elbo": -45.0, "log_px_z": -44.0, "kl": 1.0}
    figure: Any = train.terms_figure([], nothing, nothing, (0.3, terms), last_epoch=20)
    dotted = named(figure, "ELBO, training")
    assert "markers" in dotted.mode
    assert dotted.y == (-45.0,)
    assert figure.layout.xaxis.range[1] < 20


def test_the_first_epochs_do_not_squeeze_the_rest() -> None:
    wild = {name: [-1e6, *values[1:]] for name, values in TRAIN.items()}
    figure: Any = train.terms_figure(EPOCHS, wild, VALIDATION, last_epoch=30)
    assert figure.layout.yaxis.range[0] > -100
    assert figure.layout.yaxis.range[1] > max(VALIDATION["log_px_z"])


def test_a_curve_with_gaps_is_drawn() -> None:
    holes = {name: [math.nan] * 30 for name in TRAIN}
    figure: Any = train.terms_figure(EPOCHS, holes, VALIDATION, last_epoch=30)
    assert all(map(math.isfinite, figure.layout.yaxis.range))


def test_kl_bars_are_sorted_and_dead_dimensions_are_called_dead() -> None:
    figure: Any = train.kl_figure([0.001, 2.0, 0.5], [False, True, True])
    active, dead = named(figure, "active"), named(figure, "dead")
    assert list(active.y) == [2.0, 0.5]
    assert list(dead.y) == [0.001]
    assert list(active.customdata) == ["z₂", "z₃"]
    assert list(dead.customdata) == ["z₁"]
    assert "2 of 3 active" in figure.layout.title.text
    assert (active.marker.color, dead.marker.color) == (style.KL.colour, style.NEUTRAL)


def test_log_q_is_log_q0_minus_the_log_dets() -> None:
    validation = {"log_q0": [-3.0, -2.5], "log_det_sum": [-1.0, -0.5], "log_qz": [-2.0, -2.0]}
    figure: Any = train.flow_figure([1, 2], validation, last_epoch=2)
    log_q, log_q0, dets = (np.array(trace.y) for trace in figure.data)
    assert np.allclose(log_q, log_q0 - dets)


def test_the_error_of_log_px_is_shown_as_a_band() -> None:
    figure: Any = train.importance_figure(
        [5, 10], [-23, -22], [0.3, 0.2], [-24, -23], last_epoch=20
    )
    band = named(figure, "log p(x) ± standard error")
    assert list(band.y) == pytest.approx([-22.7, -21.8, -22.2, -23.3])
    low, high = figure.layout.yaxis.range
    assert low < -24 < -21.8 < high


def test_each_image_stands_above_its_reconstruction() -> None:
    given = np.arange(12)[:, None, None] * np.ones((12, 2, 2)) / 12
    sheet = train.pairs(given, given / 2, columns=6)
    assert sheet.shape == (4 * 3 - 1, 6 * 3 - 1)
    for i in range(12):
        top, left = (i // 6) * 6, (i % 6) * 3
        assert sheet[top, left] == pytest.approx(i / 12)
        assert sheet[top + 3, left] == pytest.approx(i / 24)


def test_the_film_strip_has_a_column_an_epoch_and_a_row_an_image() -> None:
    frames = np.linspace(0, 1, 3 * 2)[:, None, None] * np.ones((6, 4, 4))
    figure: Any = train.strip_figure([0, 1, 5], frames.reshape(3, 2, 4, 4), ["a", "b"])
    sheet = np.asarray(figure.data[0].z) / 255
    assert list(figure.layout.xaxis.ticktext) == ["given", "1", "5"]
    for column, x in enumerate(figure.layout.xaxis.tickvals):
        for row, y in enumerate(figure.layout.yaxis.tickvals):
            assert sheet[int(y), int(x)] == pytest.approx((2 * column + row) / 5, abs=0.01)


# ---- the film


def test_the_strip_covers_the_film_densely_at_first() -> None:
    shown = film.spread(film.planned(200))
    assert shown[:3] == [1, 2, 3]
    assert shown[-1] == 200
    assert len(shown) <= 14
    steps = np.diff(shown)
    assert steps[0] == 1 < steps[-1]
    assert film.spread([1, 2]) == [1, 2]


# ---- reading what a run writes


def row(epoch: int, **validation: Any) -> str:
    content = {"epoch": epoch, "train": {"elbo": -20.0 - epoch}, "validation": validation}
    return json.dumps(content) + "\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "run", RunConfig())


def append(run: Run, text: str) -> None:
    with (run.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_run_without_metrics_has_no_history(run: Run) -> None:
    assert Reader(run.folder).read().rows == ()
    assert Reader(run.folder).read().last is None


def test_a_history_has_a_column_for_each_figure(run: Run) -> None:
    append(run, row(1) + row(2) + "nonsense\n" + row(3)[:20])
    history = Reader(run.folder).read()
    assert history.epochs == [1, 2]
    assert history.column("train", "elbo") == [-21.0, -22.0]
    assert history.unreadable == 1


def test_figures_by_dimension_are_kept_of_the_newest_epoch_only(run: Run) -> None:
    append(run, row(1, elbo=-3.0, kl_by_dimension=[1.0]) + row(2, kl_by_dimension=[2.0]))
    first, last = Reader(run.folder).read().rows
    assert first["validation"] == {"elbo": -3.0}
    assert last["validation"]["kl_by_dimension"] == [2.0]


def test_what_is_missing_or_not_finite_is_a_gap(run: Run) -> None:
    append(run, row(1, elbo=math.inf) + row(2))
    assert all(map(math.isnan, Reader(run.folder).read().column("validation", "elbo")))


# ---- what a run will cost


def trained(folder: Path, config: RunConfig, seconds: float, epoch: int = 11) -> Run:
    run = create_run(folder, config)
    run.update(state="done", device="cpu", epoch=epoch, step=11, steps=11, seconds=seconds)
    return run


@pytest.mark.slow
def test_the_time_goes_by_a_run_with_the_same_settings(tmp_path: Path) -> None:
    config = RunConfig.from_settings({"device": "cpu", "epochs": 100})
    earlier = trained(tmp_path / "a", config, seconds=11 * 7.0)
    known = estimate(config, [(earlier, earlier.status())])
    assert 630 < known.seconds < 1400  # the final figures, at the speed of this computer, are more
    assert earlier.name in known.basis


def test_runs_that_tell_nothing_are_not_gone_by(tmp_path: Path) -> None:
    config = RunConfig.from_settings({"device": "cpu", "network": "conv"})
    mlp = trained(tmp_path / "a", RunConfig.from_settings({"device": "cpu"}), seconds=1e6)
    begun = create_run(tmp_path / "b", config)
    known = estimate(config, [(run, run.status()) for run in (mlp, begun)])
    assert "measurement" in known.basis
    assert 0 < known.seconds < 1e4


@pytest.mark.slow
def test_twice_the_epochs_take_about_twice_the_time() -> None:
    short, long = (
        estimate(RunConfig.from_settings({"device": "cpu", "epochs": n}), []).seconds
        for n in (10_000, 20_000)
    )
    assert long / short == pytest.approx(2, rel=0.05)


def test_a_device_that_is_not_there_is_said_so_before_the_start() -> None:
    with pytest.raises(DeviceError, match="not available"):
        estimate(RunConfig.from_settings({"device": "mps"}), [])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (8.4, "8 s"), (59.7, "1 min"), (200, "3 min"), (4800, "1 h 20 min"),
     (40 * 3600, "40 h"), (3600 * 24 * 12, "12 days")],
)  # fmt: skip
def test_times_are_easy_to_read(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# ---- the code


D2 = {**RECIPES["digits-full-d2"], "epochs": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 2, "hidden_size": 8, "posterior": "planar"},
        {**D2, "start_from": "pretrained/digits-full-d2"},
        {**D2, "posterior": "planar", "decoder_of": "pretrained/digits-full-d2"},
    ],
)
def test_the_lines_that_are_shown_train_the_same_model(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    config = RunConfig.from_settings(settings)
    lines = "\n".join(panels.code_of(config))
    found = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    printed = [line.split() for line in found.stdout.splitlines()]
    assert [epoch for epoch, _ in printed] == ["1", "2"]
    assert -60 < float(printed[-1][1]) < -20
