"""The Compare page: a link restores it, and it says what is best only where that can be told."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.parts import live
from app.services import comparing, runs
from app.services.images import Images
from app.services.refits import refit_key
from app.shell import navigation
from app.views.compare import export
from tests.app.views.opening import opened
from tests.reads import Reads
from vae_core.basics import versions
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.gap import Regret
from vae_core.runs.run import Run

pytestmark = pytest.mark.slow

ONE, OTHER = "pretrained/digits-full-d2", "pretrained/digits-mean-field-d16"
PAIR = f"{ONE},{OTHER}"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store of runs."""
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
    runs.store.clear()
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def texts(app: AppTest) -> str:
    return "\n".join(each.value for each in (*app.markdown, *app.caption, *app.warning))


def table(app: AppTest, column: str) -> pd.DataFrame:
    found = (each.value for each in app.dataframe)
    return next(frame for frame in found if column in frame.columns)


def add_run(store: Path, name: str, **config: str) -> Path:
    folder = store / name
    shutil.copytree(pretrained_folder() / "digits-full-d2", folder)
    kept = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(kept | {"title": name} | config))
    return folder


def test_without_a_choice_the_page_lists_all_runs(store: Path) -> None:
    add_run(store, "mine")
    app = opened("compare")
    listed = table(app, "State")
    assert next(iter(listed["Id"])) == "mine"
    assert ONE in set(listed["Id"])
    assert "Choose two runs or more" in texts(app)


def test_a_link_restores_the_runs_and_the_best_is_marked() -> None:
    app = opened("compare", runs=PAIR)
    assert app.multiselect(key="compare-runs").value == [ONE, OTHER]
    figures = table(app, "log p̂(x)")
    assert [cell.startswith("★") for cell in figures["log p̂(x)"]] == [False, True]
    assert "has the highest log p̂(x)" in texts(app)


def test_runs_of_other_protocols_are_in_tables_of_their_own() -> None:
    app = opened("compare", runs=f"{ONE},pretrained/mnist-full-d2")
    tables = [each.value for each in app.dataframe if "log p̂(x)" in each.value.columns]
    assert [len(each) for each in tables] == [1, 1, 1, 1]  # also with refined proposals
    assert not any("★" in cell for each in tables for cell in each["log p̂(x)"])
    assert "never across groups" in texts(app)


def test_the_settings_tab_shows_only_what_differs() -> None:
    settings = table(opened("compare", runs=PAIR, tab="Settings"), "Setting")
    assert "Latent size d" in set(settings["Setting"])
    assert "Samples L" not in set(settings["Setting"])


@pytest.mark.parametrize("axis", ["epoch", "step", "seconds"])
def test_the_curves_of_a_link_are_along_its_axis(axis: str) -> None:
    app = opened("compare", runs=PAIR, tab="Curves", x=axis, curve="kl", part="both")
    (chart,) = app.get("plotly_chart")
    spec = json.loads(chart.proto.spec)
    assert len(spec["data"]) == 4
    titles = {"epoch": "Epoch", "step": "Step", "seconds": "Training time (s)"}
    assert spec["layout"]["xaxis"]["title"]["text"] == titles[axis]


def test_each_data_set_has_a_chart_of_its_own() -> None:
    app = opened("compare", runs=f"{PAIR},pretrained/mnist-full-d2", tab="Curves")
    charts = [json.loads(each.proto.spec) for each in app.get("plotly_chart")]
    assert [len(chart["data"]) for chart in charts] == [2, 1]
    titles = [chart["layout"]["title"]["text"] for chart in charts]
    assert titles[0].startswith("ELBO, Digits")
    assert titles[1].startswith("ELBO, MNIST")


def test_a_link_with_a_figure_that_does_not_exist_shows_the_first() -> None:
    assert opened("compare", runs=PAIR, tab="Curves", curve="nonsense", x="parsecs").get(
        "plotly_chart"
    )


def test_the_images_tab_shows_the_same_images_and_a_row_for_each_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 300)  # until the pictures are there
    app = opened("compare", runs=PAIR, tab="Images", first="5")
    pages = [each.proto.body for each in app.get("html")]
    rows = next(body for body in pages if "Test images" in body)
    assert rows.count("<b>") == 3
    assert rows.count("<img") == 3 * 8
    assert rows.count("test image 5:") == 2 * 3  # as alt text and as title
    assert rows.count("test image 12:") == 2 * 3


def test_kl_by_dimension_counts_the_active_ones() -> None:
    found = table(opened("compare", runs=PAIR, tab="KL by dimension"), "Active")
    assert next(iter(found["Active"])) == "2 of 2"


def test_the_gap_tab_shows_what_the_posterior_lab_has_measured() -> None:
    before = opened("compare", runs=PAIR, tab="Gap", image="4")
    assert not [each for each in before.dataframe if "ELBO of q*" in each.value.columns]
    assert "Not measured for this image" in texts(before)
    choice = comparing.choice_of(comparing.entries()[0][OTHER])
    assert choice is not None
    one = torch.ones(1, dtype=torch.float64)
    regret = Regret(-22.0 * one, 0.1 * one, -21.5 * one, 0.1 * one, 0.5 * one, 0.02 * one)
    key = refit_key(choice, Images(choice, "test").x(4))
    live._shared()[0].put(key, SimpleNamespace(regret=regret))
    found = table(opened("compare", runs=PAIR, tab="Gap", image="4"), "ELBO of q*")
    live._shared()[0].drop(key)
    assert list(found["Amortisation gap (nats)"]) == ["0.50 ± 0.02"]
    assert list(found["Run"]) == ["Digits · mean field · d = 16"]
    (log_px,), (gap,) = found["log p(x)"], found["Approximation gap (nats)"]
    assert log_px.startswith("≥ −")  # d = 16: estimated from below
    number = float(log_px.split()[1].replace("−", "-"))
    assert float(gap.split()[1].replace("−", "-")) == pytest.approx(number + 21.5, abs=0.06)


def test_a_run_of_a_link_that_does_not_exist_is_named_and_the_others_are_compared() -> None:
    app = opened("compare", runs=f"{PAIR},gone")
    assert app.multiselect(key="compare-runs").value == [ONE, OTHER]
    assert "There is no run called gone." in texts(app)


def test_a_damaged_run_costs_only_itself(store: Path) -> None:
    broken = add_run(store, "broken")
    (broken / "config.json").write_text("{")
    half = add_run(store, "half")
    (half / "evaluation.json").write_text("{")
    (half / "metrics.jsonl").write_text("nonsense\n")
    app = opened("compare", runs=f"broken,half,{PAIR}", tab="Curves")
    assert app.multiselect(key="compare-runs").value == ["half", ONE, OTHER]
    assert "The run broken is damaged" in texts(app)
    assert "evaluation.json" in texts(app)
    assert "1 of the lines of its curves cannot be read" in texts(app)


def test_a_comma_in_the_id_of_a_run_does_not_break_its_link(store: Path) -> None:
    add_run(store, "a,b 50%")
    app = opened("compare")
    app.multiselect(key="compare-runs").set_value(["a,b 50%", ONE]).run()
    link = f"a%2Cb 50%25,{ONE}"
    assert link in (app.query_params["runs"], app.query_params["runs"][0])
    again = opened("compare", runs=link)
    assert again.multiselect(key="compare-runs").value == ["a,b 50%", ONE]


def test_names_of_runs_are_no_markdown(store: Path) -> None:
    add_run(store, "bold", title="**bold**")
    (store / "bold" / "evaluation.json").unlink()
    assert "\\*\\*bold\\*\\*" in texts(opened("compare", runs=f"bold,{ONE}"))


def test_the_list_can_be_filtered_and_added_as_a_whole(store: Path) -> None:
    for number in range(3):
        add_run(store, f"mine-{number}")
    app = opened("compare")
    app.text_input(key="compare-text").set_value("MINE done").run()
    assert set(table(app, "State")["Id"]) == {"mine-0", "mine-1", "mine-2"}
    app.button(key="compare-add-all").click().run()
    assert not app.exception
    assert app.multiselect(key="compare-runs").value == ["mine-2", "mine-1", "mine-0"]
    assert "cannot be told" in texts(app)  # they are copies


def test_a_second_draw_of_thirty_runs_opens_no_file(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_TICK", -60.0)  # as if all files were old
    for number in range(30):
        add_run(store, f"run-{number:02}")
    app = opened("compare", runs=",".join(f"run-{number:02}" for number in range(30)))
    assert len(table(app, "log p̂(x)")) == 30
    assert not list(Reads(monkeypatch).during(app.run))


def test_a_link_restores_the_filters_of_the_list(store: Path) -> None:
    add_run(store, "mine")
    app = opened("compare", filter_text="MINE", filter_state="done,nonsense")
    assert list(table(app, "State")["Id"]) == ["mine"]
    assert app.multiselect(key="compare-state").value == ["done"]
    app.text_input(key="compare-text").set_value("").run()
    assert "filter_text" not in app.query_params
    app.multiselect(key="compare-state").set_value(["pretrained"]).run()
    assert "pretrained" in app.query_params["filter_state"]
    assert "mine" not in set(table(app, "State")["Id"])


def test_curves_grow_while_a_run_trains_and_stop_when_it_is_done(store: Path) -> None:
    folder = add_run(store, "mine")
    rows = (folder / "metrics.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(rows[:3]))
    run = Run.open(folder)
    run.update(state="queued")

    def points(app: AppTest) -> int:
        return len(json.loads(app.get("plotly_chart")[0].proto.spec)["data"][0]["x"])

    app = opened("compare", runs="mine", tab="Curves")
    assert points(app) == 3
    (folder / "metrics.jsonl").write_text("".join(rows[:8]))
    assert points(app.run()) == 8
    run.update(state="done")
    app.run()
    assert not app.exception


def test_the_button_for_tensorboard_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda _: None)
    app = opened("compare", runs=PAIR)
    app.button(key="compare-tensorboard").click().run()
    assert "pip install tensorboardX" in texts(app)


def test_more_runs_than_a_comparison_holds_are_cut(store: Path) -> None:
    for number in range(comparing.MOST + 2):
        add_run(store, f"run-{number:02}")
    app = opened("compare")
    app.button(key="compare-add-all").click().run()
    assert not app.exception
    assert len(app.multiselect(key="compare-runs").value) == comparing.MOST
