"""A run that gets more epochs than it was begun with."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from vae_core.runs.checkpoint import load_model
from vae_core.runs.execution import execute
from vae_core.runs.more_epochs import add_epochs
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError
from vae_core.wording.training_parts import parts_sentence

SETTINGS = {"epochs": 2, "hidden_size": 8, "importance_every": 0, "batch_size": 512}


def trained(folder: Path, **more: object) -> Run:
    run = create_run(folder, RunConfig.from_settings({**SETTINGS, **more}))
    assert execute(run) == "done"
    return run


def figures(run: Run) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


def same_weights(one: Run, other: Run) -> bool:
    first, second = (
        load_model(run.folder, weights="last").state_dict().items() for run in (one, other)
    )
    return all(torch.equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("more") / "run")


@pytest.fixture(scope="module")
def longer(done: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("more") / "run"
    shutil.copytree(done.folder, folder)
    run = add_epochs(Run.open(folder), 4)
    assert execute(run) == "done"
    return run


@pytest.mark.slow
def test_added_epochs_are_bitwise_those_of_a_run_begun_with_them(longer, tmp_path):
    planned = trained(tmp_path / "planned", epochs=4, schedule_epochs=2)
    assert figures(longer) == figures(planned)
    assert same_weights(longer, planned)


@pytest.mark.slow
def test_the_curve_of_the_first_part_stays_and_goes_on(done, longer):
    assert figures(longer)[:2] == figures(done)
    assert [row["epoch"] for row in figures(longer)] == [1, 2, 3, 4]


@pytest.mark.slow
def test_added_epochs_keep_the_last_learning_rate_and_weight_of_the_kl(longer):
    second, *added = figures(longer)[1:]
    for row in added:
        assert row["learning_rate"] == second["learning_rate"]
        assert row["kl_weight"] == second["kl_weight"] == 1


@pytest.mark.slow
def test_the_final_figures_name_both_parts(longer):
    assert longer.evaluation()["trained"] == {
        "epochs": 4,
        "schedule_epochs": 2,
        "after_schedule": "epochs 3 to 4 at the constant learning rate 0.0001",
    }
    assert parts_sentence(longer.config) == (
        "Training has two parts: epochs 1 to 2 with the cosine decay, then epochs 3 to 4 at the "
        "constant learning rate 0.0001."
    )


@pytest.mark.slow
def test_a_longer_run_that_is_paused_goes_on_to_the_same_bits(done, longer, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(done.folder, folder)
    run = add_epochs(Run.open(folder), 4)

    def pause_in_epoch_3(status) -> None:
        if status.epoch == 3 and status.state == "running":
            run.request("pause")

    assert execute(run, pause_in_epoch_3) == "paused"
    assert execute(Run.open(folder)) == "done"
    assert figures(Run.open(folder)) == figures(longer)
    assert same_weights(Run.open(folder), longer)


@pytest.mark.slow
def test_the_schedule_of_before_stays_when_epochs_are_added_twice(longer):
    again = add_epochs(longer, 5)
    assert (again.config.train.epochs, again.config.train.schedule_epochs) == (5, 2)
    assert Run.open(longer.folder).config == again.config
    assert again.status().state == "stopped"
    assert again.evaluation() is None


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2])
def test_fewer_epochs_are_refused(done, epochs):
    with pytest.raises(ConfigError, match="has 2 epochs already"):
        add_epochs(done, epochs)


def test_a_run_without_a_checkpoint_gets_no_epochs_and_stays_as_it_is(tmp_path):
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS), "stopped")
    before = sorted(path.name for path in run.folder.iterdir())
    with pytest.raises(RunError, match=r"has no checkpoint \(resume.pt\)"):
        add_epochs(run, 9)
    assert sorted(path.name for path in run.folder.iterdir()) == before
    assert Run.open(run.folder).config.train.epochs == 2


def test_a_run_that_failed_before_its_first_checkpoint_begins_again_with_more(tmp_path):
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS), "stopped")
    run.update(state="failed", error="The disk is full.")
    longer = add_epochs(run, 9)
    assert (longer.config.train.epochs, longer.status().state) == (9, "stopped")
    assert longer.status().error == ""


def test_a_queued_run_gets_no_epochs(tmp_path):
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS))
    with pytest.raises(RunError, match="is queued"):
        add_epochs(run, 9)


@pytest.mark.slow
def test_a_run_whose_patience_ended_is_told_to_start_a_new_one(done, tmp_path):
    shutil.copytree(done.folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    run.update(epoch=1)
    with pytest.raises(RunError, match="ended early, after epoch 1 of 2"):
        add_epochs(run, 9)


@pytest.mark.slow
def test_the_config_of_a_run_of_before_has_one_part(done):
    values = json.loads((done.folder / "config.json").read_text())
    del values["train"]["schedule_epochs"], values["start_from"]
    config = RunConfig.from_dict(values)
    assert config.train.planned_epochs == 2
    assert parts_sentence(config) is None
