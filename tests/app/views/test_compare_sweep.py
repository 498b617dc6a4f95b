"""A sweep on the pages Train and Compare."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.services import runs
from app.shell import navigation
from tests.app.views.opening import opened
from vae_core.basics.paths import pretrained_folder
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore
from vae_core.runs.sweeps import Sweep, SweepStore
from vae_core.settings.grid import Grid

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 8, "hidden_layers": 1, "epochs": 1, "importance_every": 0}
GRID = Grid.of(SMALL, {"posterior": ["full", "iaf"], "latent_size": [2, 3], "seed": [0, 1]})


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepStore:
    """An empty store without a worker."""
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
    monkeypatch.setattr(runs, "ensure_worker", lambda _: False)
    runs.store.clear()
    return SweepStore(RunStore())


def texts(app: AppTest) -> str:
    kinds = (*app.markdown, *app.caption, *app.warning, *app.error)
    return "\n".join(each.value for each in kinds)


def score(store: SweepStore, sweep: Sweep, value: Callable[[Mapping[str, Any]], float]) -> None:
    """Finish the runs of a sweep with these values of log p(x), as if they had been trained."""
    source = pretrained_folder() / "digits-full-d2" / "evaluation.json"
    for planned in sweep.planned:
        run = store.store.get(planned.id)
        about = json.loads(source.read_text("utf-8"))
        about |= {"log_px": value(planned.values), "refined": None}
        (run.folder / "evaluation.json").write_text(json.dumps(about), "utf-8")
        run.update(state="done")


def chart(app: AppTest, key: str) -> dict[str, Any]:
    specs = [json.loads(each.proto.spec) for each in app.get("plotly_chart")]
    return next(spec for spec in specs if key in spec["layout"]["title"]["text"])


def test_a_link_shows_the_grid_and_says_what_can_be_told(store: SweepStore) -> None:
    made = store.create(GRID)
    score(store, made, lambda v: -20.0 - 5 * (v["posterior"] == "full") - 0.01 * v["seed"])
    app = opened("compare", sweep=made.id)
    cells = chart(app, "mean over seeds")["data"][0]
    assert cells["z"] == [pytest.approx([-25.005] * 2), pytest.approx([-20.005] * 2)]
    assert "IAF · d = 2 and IAF · d = 3 do not differ by more than their errors" in texts(app)
    assert "The other 2 are lower than IAF" in texts(app)
    assert chart(app, "against Latent size d")["data"][1]["y"] == pytest.approx([-20.005] * 2)
    assert len(chart(app, "All runs")["data"][0]["line"]["color"]) == 8


def test_a_sweep_without_figures_waits(store: SweepStore) -> None:
    made = store.create(GRID)
    app = opened("compare", sweep=made.id)
    assert "The grid fills as soon as the first run is done." in texts(app)


def test_a_sweep_is_paused_and_goes_on_and_is_removed_as_one(store: SweepStore) -> None:
    made = store.create(GRID)
    app = opened("compare", sweep=made.id)
    app.button(key="sweep-pause").click().run()
    assert store.progress(made).counts == {"paused": 8}
    app.button(key="sweep-resume").click().run()
    assert store.progress(made).counts == {"queued": 8}
    app.button(key="sweep-stop").click().run()
    app.button(key="sweep-remove").click().run()
    assert not app.exception
    assert not store.ids()
    assert not store.store.runs()


def test_values_are_added_to_a_sweep(store: SweepStore) -> None:
    made = store.create(GRID, state="paused")
    app = opened("compare", sweep=made.id)
    app.number_input(key="sweep-more-seeds").set_value(1).run()
    app.text_input(key=f"sweep-more-{made.id}-latent_size").set_value("x").run()
    assert "takes numbers with commas" in texts(app)
    app.text_input(key=f"sweep-more-{made.id}-latent_size").set_value("16").run()
    assert app.button(key="sweep-add").label == "Add 10 runs"
    app.button(key="sweep-add").click().run()
    assert not app.exception
    assert len(store.get(made.id).planned) == 18


def test_a_link_to_a_sweep_that_does_not_exist_is_said(store: SweepStore) -> None:
    assert "There is no sweep called gone." in texts(opened("compare", sweep="gone"))
    made = store.create(GRID, state="paused")
    store.path(made.id).write_text("{")
    assert "is damaged" in texts(opened("compare", sweep=made.id))


def test_a_link_to_runs_shows_runs_although_there_are_sweeps(store: SweepStore) -> None:
    store.create(GRID, state="paused")
    app = opened("compare", runs="pretrained/digits-full-d2")
    assert app.multiselect(key="compare-runs").value == ["pretrained/digits-full-d2"]


def test_a_copied_run_of_a_sweep_stays_a_run(store: SweepStore) -> None:
    made = store.create(GRID, state="paused")
    first, second = (store.store.folder / made.planned[i].id for i in (0, 1))
    shutil.rmtree(first)
    shutil.copytree(second, first)
    assert "has another" in texts(opened("compare", sweep=made.id))


def test_train_starts_a_sweep_and_says_its_cost_before(
    store: SweepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[dict[str, str]] = []
    monkeypatch.setattr(st, "switch_page", lambda _, query_params: visited.append(query_params))
    app = opened("train", new_epochs="2", new_hidden_size="16")
    assert "18 runs: about " in texts(app)
    app.number_input(key="sweep-seeds").set_value(1).run()
    app.text_input(key="sweep-latent_size").set_value("2 4;8").run()
    assert "9 runs: about " in texts(app)
    assert "MB of disk" in texts(app)
    app.button(key="start-sweep").click().run()
    assert not app.exception
    (sweep_id,) = store.ids()
    assert visited == [{"sweep": sweep_id}]
    sizes = [Run.open(store.store.folder / p.id).config for p in store.get(sweep_id).planned]
    assert {config.model.hidden_size for config in sizes} == {16}
    assert {config.train.epochs for config in sizes} == {2}
    listed = [b for b in opened("train").button if str(b.key).startswith("pick-")]
    assert len(listed) == 1  # the one that is shown; the others are behind their sweep


def test_train_says_which_value_is_wrong_and_starts_nothing(store: SweepStore) -> None:
    app = opened("train")
    app.text_input(key="sweep-latent_size").set_value("2, 9999").run()
    assert "must be from 1 to 512; it was 9,999" in texts(app)
    assert app.button(key="start-sweep").disabled
    assert not store.ids()


def test_a_sweep_that_does_not_fit_into_the_queue_is_refused(store: SweepStore) -> None:
    app = opened("train")
    app.number_input(key="sweep-seeds").set_value(20).run()
    app.button(key="start-sweep").click().run()
    assert "at most 100 runs" in texts(app)
    assert not store.ids()
