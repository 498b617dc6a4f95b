"""A store starts by itself only the runs that were created or queued in it."""

import shutil

import pytest

from vae_core.runs.queue import QUEUE_FILE
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore
from vae_core.runs.worker import Supervisor, ensure_worker
from vae_core.settings.config import RunConfig

CONFIG = RunConfig.from_settings({"epochs": 1})


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


def copied(store: RunStore, state: str) -> Run:
    """A run of another store, copied into this one."""
    run = RunStore(store.folder.with_name("other")).create(CONFIG)
    run.update(state=state)
    return Run.open(shutil.copytree(run.folder, store.folder / "copied"))


def test_a_run_created_here_may_start(store):
    run = store.create(CONFIG)
    assert store.queue.ids() == {run.id}
    assert not store.waits_for_consent(run, run.status())


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_was_copied_here_waits_for_the_user(store, state):
    store.create(CONFIG, "paused")
    run = copied(store, state)
    assert store.waits_for_consent(run, run.status())
    assert not ensure_worker(store)
    assert not Supervisor(store).tick()
    assert run.status().state == state


def test_resuming_a_copied_run_takes_it_up(store):
    store.create(CONFIG, "paused")
    run = copied(store, "running")
    run.enqueue()
    assert run.status().state == "queued"
    assert not store.waits_for_consent(run, run.status())


def test_a_copied_run_can_be_removed(store):
    store.create(CONFIG, "paused")
    run = copied(store, "queued")
    store.remove(run.id)
    assert not run.folder.exists()


def test_a_store_of_an_older_version_begins_with_its_unfinished_runs(store):
    states = ("queued", "running", "paused", "done")
    runs = {state: store.create(CONFIG, state) for state in states}
    (store.folder / "link").symlink_to(runs["queued"].folder)
    (store.folder / QUEUE_FILE).unlink()
    assert store.queue.ids() == {runs["queued"].id, runs["running"].id}
    copied(store, "queued")
    assert store.queue.ids() == {runs["queued"].id, runs["running"].id}


def test_finished_runs_leave_the_list_so_that_a_copy_of_them_does_not_start(store):
    kept, done, gone = (store.create(CONFIG) for _ in range(3))
    done.update(state="done")
    shutil.rmtree(gone.folder)
    store.queue.drop_finished()
    assert store.queue.ids() == {kept.id}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"may_start": 3}', '{"may_start": [1]}'])
def test_a_damaged_list_starts_nothing(store, content):
    store.create(CONFIG)
    (store.folder / QUEUE_FILE).write_text(content)
    assert store.queue.ids() == frozenset()
