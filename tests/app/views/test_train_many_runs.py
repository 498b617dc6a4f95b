"""The Train page over a store of many runs."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.services import runs
from app.shell import navigation
from tests.reads import Reads
from vae_core.basics import versions
from vae_core.runs import worker
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[3] / "app" / "views" / "train" / "page.py"


def test_a_redraw_opens_no_file_of_the_runs_that_it_only_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_TICK", -60.0)  # as if all files were old
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
    monkeypatch.setattr(worker, "_spawn", lambda *_: pytest.fail("nothing has to be trained"))
    runs.store.clear()
    store = RunStore(tmp_path / "runs")
    chosen = store.create(RunConfig.from_settings({"epochs": 1}))
    chosen.update(state="done")
    store.queue.drop_finished()
    for number in range(30):
        shutil.copytree(chosen.folder, store.folder / f"run-{number:02}")
    app = AppTest.from_file(str(PAGE), default_timeout=120)
    app.query_params["run"] = chosen.id
    app.run()
    assert not app.exception
    assert [each.label for each in app.toggle if each.key == "train-all-runs"] == ["All 31 runs"]
    opened = Reads(monkeypatch).during(app.run)
    assert {name.split("/")[0] for name in opened} <= {chosen.id}
    runs.store.clear()
