"""The run store: whole or named as damaged, shared by many, lost by none."""

import json
import shutil
import threading

import pytest

from tests.vae_core.runs.test_metrics import row
from vae_core.runs.run import Run, RunError, Status
from vae_core.runs.store import DamagedRun, RunStore, create_run
from vae_core.settings.config import RunConfig


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


CONFIG = RunConfig.from_settings({"posterior": "iaf", "epochs": 7})


def test_a_run_reads_back_as_it_was_written(store):
    run = store.create(CONFIG)
    again = store.get(run.id)
    assert again.config == CONFIG
    assert again.status().state == "queued"
    assert again.metrics() == []
    assert again.evaluation() is None
    assert again.checkpoint_digest() == ""


def test_two_starts_at_once_are_two_runs(store):
    threads = [threading.Thread(target=store.create, args=(CONFIG,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.runs()) == 8


def test_a_run_can_be_moved_and_still_opens(store, tmp_path):
    run = store.create(CONFIG)
    run.append_metrics(row(1))
    shutil.move(run.folder, tmp_path / "mailed")
    assert Run.open(tmp_path / "mailed").metrics() == [row(1)]


def test_a_half_written_last_line_is_ignored(store):
    run = store.create(CONFIG)
    run.append_metrics(row(1))
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "val')
    assert run.metrics() == [row(1)]


def test_damaged_metrics_are_named(store):
    run = store.create(CONFIG)
    run.append_metrics(row(1))
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(RunError, match=r"damaged: metrics.jsonl: 1 of its lines cannot be read"):
        run.metrics()


def test_cutting_keeps_what_the_checkpoint_has_seen(store):
    run = store.create(CONFIG)
    for epoch in (1, 2, 3):
        run.append_metrics(row(epoch))
    run.cut_metrics(2)
    assert [row["epoch"] for row in run.metrics()] == [1, 2]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"dataset": "faces"}'),
        ("config.json", '{"colour": "red"}'),
        ("config.json", "[]"),
        ("config.json", "\x00\xff"),
        ("status.json", "{"),
        ("status.json", '{"state": "queued", "mood": 1}'),
        ("status.json", "[]"),
    ],
)
def test_a_damaged_run_is_named_and_the_others_work(store, file, content):
    good, bad = store.create(CONFIG), store.create(CONFIG)
    (bad.folder / file).write_text(content, encoding="latin-1")
    entries = {entry.folder.name: entry for entry in store.entries()}
    assert isinstance(entries[good.id], Run)
    damaged = entries[bad.id]
    assert isinstance(damaged, DamagedRun)
    assert file in damaged.reason
    assert store.runs() == [good]


def test_a_folder_without_any_file_of_a_run_is_passed_over(store):
    run = store.create(CONFIG)
    (store.folder / "holiday").mkdir()
    (store.folder / "holiday" / "beach.jpg").write_bytes(b"sun")
    assert list(store.entries()) == [run]


@pytest.mark.parametrize("name", ["../elsewhere", "", ".hidden", "a/b", "nothing-there"])
def test_a_name_that_is_no_run_is_refused(store, name):
    with pytest.raises(RunError):
        store.get(name)


def test_a_folder_in_use_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError):
        create_run(tmp_path, CONFIG)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_requests_of_a_run_nobody_works_on_act_at_once(store):
    run = store.create(CONFIG)
    run.request("pause")
    assert run.status().state == "paused"
    run.enqueue()
    assert run.status().state == "queued"
    run.request("stop")
    assert run.status().state == "stopped"
    run.update(state="done")
    with pytest.raises(RunError, match="nothing to resume"):
        run.enqueue()


def test_requests_of_a_run_under_way_are_left_for_its_process(store):
    run = store.create(CONFIG)
    with run.lock().acquire():
        assert run.is_alive()
        run.request("stop")
    assert run.requested() == "stop"
    assert not run.is_alive()


def test_progress_and_time_left_follow_from_the_status():
    status = Status(state="running", epoch=3, step=5, steps=10, seconds=25.0)
    assert status.share_done(10) == 0.25
    assert status.seconds_left(10) == 75.0
    assert Status(state="queued").seconds_left(10) is None
    assert Status(state="done").share_done(10) == 1.0


def test_the_config_file_is_plain_json(store):
    run = store.create(CONFIG)
    values = json.loads((run.folder / "config.json").read_text())
    assert values["model"]["posterior"] == "iaf"
    assert values["train"]["epochs"] == 7


def test_looking_whether_a_run_is_alive_is_not_taken_for_life(store):
    run = store.create(CONFIG)
    answers: list[bool] = []

    def look() -> None:
        answers.extend(run.is_alive() for _ in range(100))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [False] * 400
