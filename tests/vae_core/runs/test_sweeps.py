"""Sweeps as files: made, completed, extended, paused, removed, and hostile ones."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import DEEP, PLACES, SECRET
from vae_core.runs.run import RunError
from vae_core.runs.store import RunNotCreated, RunStore
from vae_core.runs.sweeps import DamagedSweep, Sweep, SweepStore
from vae_core.settings.grid import Grid

SMALL = {"hidden_size": 8, "hidden_layers": 1, "epochs": 1, "importance_every": 0}


def a_grid(**values: list[Any]) -> Grid:
    return Grid.of(SMALL, values or {"latent_size": [2, 3], "seed": [0, 1]})


@pytest.fixture
def store(tmp_path: Path) -> SweepStore:
    return SweepStore(RunStore(tmp_path / "runs"))


def states(store: SweepStore, sweep: Sweep) -> list[str]:
    return [member.state for member in store.progress(sweep).members]


def test_a_sweep_is_read_as_it_was_made(store: SweepStore) -> None:
    made = store.create(a_grid(), "sizes")
    assert store.get(made.id) == made
    assert [each.values for each in made.planned][1] == {"latent_size": 3, "seed": 0}
    assert states(store, made) == ["queued"] * 4
    assert {each.id for each in made.planned} <= store.store.queue.ids()


def test_the_same_settings_find_the_sweep_and_others_do_not(store: SweepStore) -> None:
    made = store.create(a_grid(), state="paused")
    assert store.find(a_grid()) == made
    assert store.find(a_grid(latent_size=[2, 3], seed=[0, 2])) is None


def test_runs_that_were_not_created_are_created_once(store: SweepStore) -> None:
    made = store.create(a_grid(), state="paused")
    first, second, *_ = (store.store.folder / each.id for each in made.planned)
    shutil.rmtree(first)
    (second / "status.json").unlink()  # as if the process had been killed while it made the run
    assert store.progress(made).counts == {"missing": 1, "damaged": 1, "paused": 2}
    store.complete(made, "paused")
    assert states(store, made) == ["paused"] * 4
    assert len(store.store.runs()) == 4


def test_more_values_keep_the_runs_that_exist(store: SweepStore) -> None:
    made = store.create(a_grid(), state="paused")
    after = store.extend(made, {"seed": [2], "posterior": ["mean-field"]}, "paused")
    assert len(after.planned) == 12
    assert {each.id for each in made.planned} <= {each.id for each in after.planned}
    assert store.get(made.id) == after
    kept = {each.id: each.values["posterior"] for each in after.planned}
    assert [kept[each.id] for each in made.planned] == ["full"] * 4


def test_a_sweep_is_paused_and_goes_on_as_one(store: SweepStore) -> None:
    made = store.create(a_grid())
    store.pause(made)
    assert states(store, made) == ["paused"] * 4
    store.resume(made)
    assert states(store, made) == ["queued"] * 4
    store.stop(made)
    assert states(store, made) == ["stopped"] * 4


def test_a_sweep_is_taken_away_as_one_and_nothing_is_deleted(store: SweepStore) -> None:
    other = store.create(a_grid(latent_size=[5, 6]), state="paused")
    made = store.create(a_grid())
    with pytest.raises(RunError, match=r"4 of the runs .* stop the sweep first"):
        store.remove(made)
    store.stop(made)
    target = store.remove(made)
    assert target.is_file()
    assert [each.id for each in store.entries()] == [other.id]
    assert len(store.store.runs()) == 2
    assert len(list((store.store.folder / ".removed").iterdir())) == 5


def test_a_run_with_other_settings_takes_no_part(store: SweepStore) -> None:
    made = store.create(a_grid())
    first, second = (store.store.folder / made.planned[i].id for i in (0, 1))
    shutil.rmtree(first)
    shutil.copytree(second, first)
    store.pause(made)
    member = store.progress(made).members[0]
    assert "has another Latent size d than its sweep says" in member.problem
    assert store.store.get(first.name).status().state == "queued"


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs modes of files")
def test_a_store_that_cannot_be_written_is_said(store: SweepStore) -> None:
    store.store.folder.mkdir()
    (store.store.folder / ".sweeps").write_text("")
    with pytest.raises(RunNotCreated, match="The sweep could not be written"):
        store.create(a_grid())


# ---- hostile files


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    about = json.loads(path.read_text("utf-8"))
    change(about)
    path.write_text(json.dumps(about), "utf-8")


def put(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda about: about.__setitem__(name, value)


RUN = {"id": "a", "values": {"latent_size": 2, "seed": 0}}
CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "other format": put("format", 2),
    "no title": put("title", ""),
    "long title": put("title", "x" * 1000),
    "title of another kind": put("title", ["x"]),
    "time that is a text": put("created", "now"),
    "time that is not a number": put("created", float("nan")),
    "settings that are a list": put("settings", []),
    "unknown setting": put("settings", {"mood": 1}),
    "setting out of bounds": put("settings", {"epochs": 10**9}),
    "values that are a text": put("values", {"latent_size": "23"}),
    "values that are nested": put("values", {"latent_size": [[2]], "seed": [0, 1]}),
    "no values": put("values", {}),
    "setting that cannot vary": put("values", {"device": ["cpu"]}),
    "no runs": put("runs", []),
    "runs that are numbers": put("runs", [1, 2]),
    "too many runs": put("runs", [RUN] * 100_000),
    "a run twice": put("runs", [RUN, RUN]),
    "way out": put("runs", [RUN | {"id": "../outside"}]),
    "absolute way out": put("runs", [RUN | {"id": "/etc"}]),
    "hidden run": put("runs", [RUN | {"id": ".removed"}]),
    "name that is no text": put("runs", [RUN | {"id": {}}]),
    "line break": put("runs", [RUN | {"id": "a\nb"}]),
    "other value": put("runs", [RUN | {"values": {"latent_size": 9, "seed": 0}}]),
    "other settings": put("runs", [RUN | {"values": {"latent_size": 2}}]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_damaged_file_costs_only_its_own_sweep(
    store: SweepStore, change: Callable[[dict[str, Any]], object]
) -> None:
    good, bad = store.create(a_grid(), state="paused"), store.create(a_grid(), state="paused")
    changed(store.path(bad.id), change)
    found = {each.id: each for each in store.entries()}
    assert found[good.id] == good
    damaged = found[bad.id]
    assert isinstance(damaged, DamagedSweep)
    assert damaged.reason.startswith(f"The sweep {bad.id} is damaged: ")
    assert damaged.reason.endswith(".")


@pytest.mark.parametrize("content", ["", "[]", "null", "7", DEEP, '{"format": 1}', "\x00"])
def test_a_file_that_is_no_sweep_is_said(store: SweepStore, content: str) -> None:
    made = store.create(a_grid(), state="paused")
    store.path(made.id).write_text(content, "utf-8")
    with pytest.raises(RunError, match="is damaged"):
        store.get(made.id)


@pytest.mark.skipif(os.name == "nt", reason="makes pipes and links")
@pytest.mark.parametrize("kind", PLACES)
def test_nothing_is_read_through_something_that_is_no_plain_file(
    store: SweepStore, kind: str, tmp_path: Path
) -> None:
    made = store.create(a_grid(), state="paused")
    sentinel = tmp_path / "sentinel"
    sentinel.write_text(SECRET, "utf-8")
    store.path(made.id).unlink()
    try:
        PLACES[kind](store.path(made.id), sentinel)
    except OSError:
        pytest.skip("this file system has no such files")
    with pytest.raises(RunError):
        store.get(made.id)
    list(store.entries())
    assert sentinel.read_text("utf-8") == SECRET


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\nb", "x" * 1000, "-rf"])
def test_a_name_that_is_no_name_is_refused(store: SweepStore, name: str) -> None:
    with pytest.raises(RunError):
        store.get(name)
