"""The pages over a store of hostile run folders: each folder costs only itself."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.services import comparing, runs
from app.shell import navigation
from tests.hostile import SETTINGS, Hostile, hostile_store
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="makes pipes and links"),
]

VIEWS = Path(__file__).resolve().parents[3] / "app" / "views"
TIMEOUT = 120  # seconds; only a page that waits for ever takes as long
WRONG = "Something went wrong"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """The store of the pages. All of its runs are finished, but one that waits."""
    made = hostile_store(tmp_path_factory.mktemp("hostile"))
    made.store.get(made.queued).update(state="paused")  # no worker starts
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_RUNS_DIR", str(made.store.folder))
        patch.setattr(navigation, "link", lambda *_, **__: None)  # there are no other pages here
        runs.store.clear()
        shown = config.get_option("client.showErrorDetails")
        config.set_option("client.showErrorDetails", "full")
        yield made
        config.set_option("client.showErrorDetails", shown)
    runs.store.clear()


def page(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(VIEWS / name / "page.py"), default_timeout=TIMEOUT)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def texts(app: AppTest) -> list[str]:
    """All texts that Streamlit reads as Markdown."""
    kinds = ("markdown", "caption", "error", "warning", "subheader", "metric", "badge", "button")
    found = [each for kind in kinds for each in app.get(kind)]
    return [str(getattr(each, "value", "")) + str(getattr(each, "label", "")) for each in found]


def check(app: AppTest) -> None:
    assert not app.exception
    assert not any(WRONG in text for text in texts(app))


def test_train_lists_every_run_and_names_the_damaged_ones(hostile: Hostile) -> None:
    app = page("train", run=hostile.healthy)
    app.toggle(key="train-all-runs").set_value(True).run()
    check(app)
    assert len([b for b in app.button if str(b.key).startswith("pick-")]) == len(hostile.bad) + 2
    assert hostile.untouched()


@pytest.mark.parametrize("run", ["http://evil.example", "![x](http://evil.example/a.png)", "<b>"])
def test_the_name_of_a_run_in_the_address_is_shown_as_it_is(run: str, hostile: Hostile) -> None:
    app = page("train", run=run)
    check(app)
    live = r"(?<!\\)\]\(http|http://|(?<!\\)<b"  # what no backslash escapes
    assert not any(re.search(live, text) for text in texts(app))
    assert any("does not exist here" in text for text in texts(app))
    assert hostile.untouched()


KINDS = ("row-", "pipe-", "folder-s", "content-0[1-5]-e", "status-05", "bomb-0[03]", "line")


@pytest.mark.parametrize("kind", KINDS)
def test_train_shows_each_of_them(kind: str, hostile: Hostile) -> None:
    app = page("train", run=hostile.healthy)
    for entry in hostile.store.entries():
        if re.match(kind, entry.id):
            app.query_params["run"] = entry.id
            app.run()
            check(app)
            assert not any("](http" in text or "http://" in text for text in texts(app)), entry.id
    assert hostile.untouched()


@pytest.mark.parametrize("tab", ["Figures", "Settings", "Curves", "KL by dimension"])
def test_compare_puts_all_of_them_side_by_side(tab: str, hostile: Hostile) -> None:
    keys = [quote(run.id) for run in hostile.store.runs()]
    for start in range(0, len(keys), comparing.MOST):
        chosen = keys[start : start + comparing.MOST]
        app = page("compare", runs=",".join(chosen), tab=tab)
        check(app)
        assert len(app.multiselect(key="compare-runs").value) == len(chosen)
        assert not any("](http" in text for text in texts(app) if "theory" not in text)
    assert hostile.untouched()


@pytest.mark.parametrize("name", ["start", "latent", "score", "posterior", "gradients"])
def test_the_other_pages_open_beside_them(name: str, hostile: Hostile) -> None:
    check(page(name))
    check(page(name, model=hostile.healthy))
    assert hostile.untouched()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("start", "bomb-12"),
        ("score", "bomb-16"),
        ("score", "nothing-calibration.safetensors"),
        ("score", "link-calibration.safetensors"),
        ("score", "content-02-detection.json"),
        ("latent", "pipe-held_out.safetensors"),
    ],
)
def test_a_page_of_a_hostile_model_says_what_is_wrong(
    name: str, model: str, hostile: Hostile
) -> None:
    app = page(name, model=model)
    assert not [each.message for each in app.exception if "The model" not in each.message]
    assert not any(WRONG in text for text in texts(app))
    assert hostile.untouched()


def test_one_click_takes_up_a_run_that_was_copied_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, mine = RunStore(tmp_path / "other"), RunStore(tmp_path / "mine")
    made = other.create(RunConfig.from_settings(SETTINGS))
    mine.create(RunConfig.from_settings(SETTINGS), "paused")
    run = Run.open(shutil.copytree(made.folder, mine.folder / "copied"))
    monkeypatch.setenv("VAE_RUNS_DIR", str(mine.folder))
    monkeypatch.setattr(runs, "ensure_worker", lambda _: False)
    runs.store.clear()
    app = page("train", run=run.id)
    check(app)
    assert any("Copied here at the start" in str(bar.proto) for bar in app.get("progress"))
    assert run.id not in mine.queue.ids()
    app.button(key="run-resume").click().run()
    check(app)
    assert run.id in mine.queue.ids()
    runs.store.clear()
