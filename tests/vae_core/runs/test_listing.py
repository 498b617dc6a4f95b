"""The list of a store: files that have not changed are not read again."""

import os
import shutil
from pathlib import Path

import pytest

from tests.reads import Reads
from vae_core.basics import versions
from vae_core.runs import worker
from vae_core.runs.store import RunStore
from vae_core.runs.worker import Supervisor, ensure_worker
from vae_core.settings.config import RunConfig

CONFIG = RunConfig.from_settings({"epochs": 1})
RUNS = 20


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store of finished runs that has been listed once, as if its files were old."""
    monkeypatch.setattr(versions, "_TICK", -60.0)
    store = RunStore(tmp_path / "runs")
    run = store.create(CONFIG)
    run.update(state="done")
    store.queue.drop_finished()
    for number in range(RUNS):
        shutil.copytree(run.folder, store.folder / f"run-{number:02}")
    assert len(list(store.listed())) == RUNS + 1
    assert store.queue.ids() == set()
    return store


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_an_unchanged_store_is_listed_without_opening_a_file(store: RunStore, reads: Reads) -> None:
    before = list(store.listed())
    assert reads.during(lambda: list(store.listed())) == []
    assert reads.during(store.runs) == []
    assert list(store.listed()) == before


def test_only_the_run_that_changed_is_read_again(store: RunStore, reads: Reads) -> None:
    run = store.get("run-07")
    run.update(state="stopped")
    assert set(reads.during(lambda: list(store.listed()))) == {
        "run-07/config.json",
        "run-07/dataset.json",  # looked for: a run by images of one's own has it
        "run-07/status.json",
    }
    states = {each.folder.name: each.status.state for each in store.listed() if each.status}
    assert [name for name, state in states.items() if state == "stopped"] == ["run-07"]


def test_a_file_that_was_written_just_now_is_read_again(
    store: RunStore, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_TICK", 3600.0)
    store.get("run-07").update(epoch=1)
    list(store.listed())
    assert set(reads.during(lambda: list(store.listed()))) == {
        "run-07/config.json",
        "run-07/dataset.json",  # looked for: a run by images of one's own has it
        "run-07/status.json",
    }


def test_a_change_that_keeps_size_and_time_of_a_file_is_seen(store: RunStore) -> None:
    path = store.folder / "run-07" / "status.json"
    about, text = path.stat(), path.read_text()
    path.write_text(text.replace('"done"', '"lost"'))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    damaged = [each for each in store.listed() if each.run is None]
    assert [each.folder.name for each in damaged] == ["run-07"]
    assert damaged[0].reason.endswith("status.json: state is 'lost'.")


@pytest.mark.skipif(os.name == "nt", reason="makes links")
@pytest.mark.parametrize("what", ["config.json", "status.json", ""])
def test_a_link_that_takes_the_place_of_a_known_file_or_folder_is_refused(
    what: str, store: RunStore, reads: Reads, tmp_path: Path
) -> None:
    path = store.folder / "run-07" / what
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    (damaged,) = (each for each in store.listed() if each.run is None)
    assert "symbolic link" in damaged.reason
    assert not any("moved" in name for name in reads.names)


def test_a_run_that_was_removed_or_added_is_seen(store: RunStore) -> None:
    shutil.rmtree(store.folder / "run-03")
    shutil.copytree(store.folder / "run-04", store.folder / "run-99")
    names = {each.folder.name for each in store.listed()}
    assert "run-03" not in names
    assert "run-99" in names


def test_the_worker_reads_no_finished_run(store: RunStore, reads: Reads) -> None:
    supervisor = Supervisor(RunStore(store.folder))  # one that has not listed the store
    supervisor.tick()
    assert reads.during(supervisor.tick) == []
    assert reads.during(lambda: ensure_worker(store)) == []
    run = store.create(CONFIG)
    run.update(state="paused")
    opened = reads.during(supervisor.tick)
    assert {name.split("/")[0] for name in opened} <= {run.id, store.folder.name}


def test_the_worker_opens_only_the_next_of_many_queued_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_TICK", -60.0)
    monkeypatch.setattr(worker, "_spawn", lambda *_: Living())
    store = RunStore(tmp_path / "runs")
    made = [store.create(CONFIG) for _ in range(5)]
    supervisor = Supervisor(store)
    supervisor.tick()
    assert set(supervisor.children) == {made[0].id}
    assert Reads(monkeypatch).during(supervisor.tick) == []


class Living:
    """A process that does not end."""

    def poll(self) -> None:
        return None
