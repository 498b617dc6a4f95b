"""A run that starts from the weights of another model."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import ModelFileError, load_model, model_bytes, save_model
from vae_core.runs.execution import execute
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import RunStore, create_run
from vae_core.runs.warm_start import Start
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.fields import ConfigError

SETTINGS = {"epochs": 2, "hidden_size": 8, "importance_every": 0, "batch_size": 512}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    return RunStore()


@pytest.fixture
def source(store: RunStore) -> Run:
    """A run whose weights are those of no training, with another seed."""
    run = create_run(store.folder / "first", RunConfig.from_settings(SETTINGS), "stopped")
    torch.manual_seed(9)
    save_model(VAE(run.config.model), run.folder / "model.safetensors")
    return run


def config(**more: object) -> RunConfig:
    return RunConfig.from_settings({**SETTINGS, "start_from": "first", **more})


def figures(run: Run) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


def test_the_weights_of_the_other_run_are_copied_when_the_run_is_created(source, store):
    run = store.create(config(), "paused")
    started = load_file(run.folder / "start.safetensors")
    for name, value in load_model(source.folder).state_dict().items():
        assert torch.equal(started[name], value)


@pytest.mark.thorough
def test_a_run_trains_from_these_weights_whatever_becomes_of_the_other(source, store, tmp_path):
    run = store.create(config(), "paused")
    twin = store.create(config(), "paused")
    shutil.rmtree(source.folder)
    assert execute(run) == "done"

    def pause_in_epoch_1(status) -> None:
        if status.phase == "training" and not twin.requested():
            twin.request("pause")

    assert execute(twin, pause_in_epoch_1) == "paused"
    assert execute(twin) == "done"
    assert figures(run) == figures(twin)
    assert run.evaluation()["trained"] == {"epochs": 2, "start_from": "first"}
    fresh = create_run(tmp_path / "fresh", RunConfig.from_settings(SETTINGS))
    assert execute(fresh) == "done"
    assert figures(run) != figures(fresh)


def test_there_is_no_kl_warm_up_unless_it_is_given():
    assert config().train.kl_warmup_epochs == 0
    assert config(kl_warmup_epochs=3).train.kl_warmup_epochs == 3
    assert RunConfig.from_settings(SETTINGS).train.kl_warmup_epochs > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"latent_size": 3}, "Latent size d is 2, not 3."),
        ({"hidden_size": 9}, "Hidden units is 8, not 9."),
        ({"network": "linear"}, "Network is mlp, not linear"),
        ({"posterior": "mean-field"}, r"Posterior q\(z\|x\) is full, not mean-field."),
        ({"dataset": "mnist"}, "the shape of its images is 1 × 8 × 8, not 1 × 28 × 28."),
    ],
)
@pytest.mark.usefixtures("source")
def test_a_model_that_does_not_fit_is_refused_with_the_setting_that_differs(store, changed, said):
    with pytest.raises(ConfigError, match=said):
        store.create(config(**changed))
    assert [path.name for path in store.folder.iterdir()] == ["first"]


@pytest.mark.usefixtures("source")
def test_a_setting_without_effect_on_the_weights_may_differ(store):
    assert store.create(config(flow_steps=9, samples=2), "paused")


def test_weights_that_are_not_finite_are_refused(source, store):
    model = VAE(source.config.model)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("nan")
    save_model(model, source.folder / "model.safetensors")
    with pytest.raises(ConfigError, match="NaN or infinite"):
        store.create(config())


def test_a_damaged_model_is_refused(source, store):
    (source.folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelFileError, match="is damaged"):
        store.create(config())


@pytest.mark.slow
@pytest.mark.usefixtures("source")
def test_weights_that_were_exchanged_in_the_folder_fail_the_run_with_a_sentence(store):
    run = store.create(config(), "paused")
    other = VAE(ModelConfig(latent_size=3, hidden_size=8, image_shape=(1, 8, 8)))
    (run.folder / "start.safetensors").write_bytes(model_bytes(other))
    assert execute(run) == "failed"
    assert "Latent size d is 3, not 2." in run.status().error
    (run.folder / "start.safetensors").unlink()
    assert execute(run) == "failed"
    assert "has no start.safetensors" in run.status().error


@pytest.mark.parametrize("key", ["nobody", "../first", "pretrained/nobody"])
def test_a_run_that_does_not_exist_is_named(store, key):
    with pytest.raises(RunError, match="cannot be loaded"):
        store.create(config(start_from=key))


def test_a_model_gives_its_own_settings_and_its_name(source, tmp_path):
    start = Start.open("first")
    assert (start.name, start.settings["dataset"]) == ("first", "digits")
    assert start.settings["hidden_size"] == 8
    assert Start.open("pretrained/digits-full-d2").name == "pretrained/digits-full-d2"
    file = tmp_path / "some.safetensors"
    shutil.copy(source.folder / "model.safetensors", file)
    alone = Start.open(file)
    assert alone.name == "some.safetensors"
    assert "dataset" not in alone.settings


@pytest.mark.slow
@pytest.mark.usefixtures("source")
def test_the_kept_epoch_0_is_called_the_weights_that_the_run_started_from(store):
    from vae_core.wording.kept_epoch import kept_epoch_sentence

    run = store.create(config(learning_rate=1e-7, epochs=1), "paused")
    assert execute(run) == "done"
    kept = {**run.kept_epoch(), "epoch": 0, "last_value": -1e9}
    assert "those that the run started from, of first" in kept_epoch_sentence(kept)
