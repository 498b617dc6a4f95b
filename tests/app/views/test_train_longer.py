"""The Train page: more epochs, a new run from the weights of a run, and large copied runs."""

import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.views.train import estimate
from tests.app.views.opening import opened
from vae_core.basics import memory
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore, create_run
from vae_core.settings.config import RunConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def run(idle_store: RunStore) -> Run:
    run = create_run(idle_store.folder / "first", RunConfig.from_settings({"epochs": 3}), "paused")
    torch.manual_seed(0)
    save_model(VAE(run.config.model), run.folder / "model.safetensors")
    (run.folder / "resume.pt").write_bytes(b"a checkpoint")
    run.update(state="done", epoch=3)
    return run


def page() -> AppTest:
    return opened("train")


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def test_a_finished_run_gets_more_epochs_and_is_queued(run: Run) -> None:
    app = page()
    assert any("keep the last learning rate, 0.0001" in each.value for each in app.markdown)
    app.number_input(key="longer-first").set_value(7).run()
    press(app, "run-longer-start")
    again = Run.open(run.folder)
    assert (again.config.train.epochs, again.config.train.schedule_epochs) == (7, 3)
    assert again.status().state == "queued"
    said = [each.value for each in app.caption]
    assert any("two parts\\: epochs 1 to 3 with" in each for each in said)


def test_a_new_run_starts_from_the_weights_of_a_run(run: Run, idle_store: RunStore) -> None:
    app = page()
    press(app, "run-start-from")
    assert app.selectbox(key="new_start_from").value == "first"
    press(app, "start")
    (new,) = (each for each in idle_store.runs() if each.id != run.id)
    assert (new.config.start_from, new.config.train.kl_warmup_epochs) == ("first", 0)
    assert (new.folder / "start.safetensors").is_file()


def test_the_list_of_decoders_holds_the_models_that_fit(run: Run) -> None:
    app = page()
    assert run.id in app.selectbox(key="new_decoder_of").options
    app.number_input(key="new_latent_size").set_value(3).run()
    assert run.id not in app.selectbox(key="new_decoder_of").options
    app.number_input(key="new_latent_size").set_value(2).run()
    app.selectbox(key="new_posterior").select("mean-field").run()
    assert run.id in app.selectbox(key="new_decoder_of").options
    assert run.id not in app.selectbox(key="new_start_from").options


def test_weights_that_do_not_fit_are_refused_when_start_is_pressed(
    run: Run, idle_store: RunStore
) -> None:
    app = page()
    press(app, "run-start-from")
    app.number_input(key="new_latent_size").set_value(3).run()
    press(app, "start")
    assert "Latent size d is 2, not 3." in app.error[0].value
    assert [each.id for each in idle_store.runs()] == [run.id]


def test_a_large_copied_run_is_resumed_only_after_a_question(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunStore(run.folder.parent).queue.add("another")  # the store did not start this run
    run.update(state="running")
    monkeypatch.setattr(memory, "memory_of", lambda _: 1_000_000)
    estimate._memory.cache_clear()
    app = page()
    estimate._memory.cache_clear()
    assert any(each.value.startswith("This run would take about") for each in app.warning)
    assert app.button(key="run-resume").label == "Resume it anyway"
    press(app, "run-resume")
    assert run.status().state == "queued"
