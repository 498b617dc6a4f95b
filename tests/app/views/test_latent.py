"""What the Latent space page computes, its code to copy, and what it believes of the browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.services import latent, models
from app.services.latent import View
from app.views.latent import code, data
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig

ROOT = Path(__file__).resolve().parents[3]
MODELS = ("digits-full-d2", "digits-iaf-d2", "digits-mean-field-d16")
TABS = ("Map", "Decode", "Manifold", "Interpolate", "Traverse", "Prior")


def view(model: str = MODELS[0], split: Any = "test") -> View:
    return View(models.choices()[f"pretrained/{model}"], split)


@pytest.fixture
def untrained(tmp_path: Path) -> Run:
    """A run that has weights but is not done."""
    run = create_run(tmp_path / "run", RunConfig.from_settings({"posterior": "planar"}))
    save_model(VAE(run.config.model), run.folder / "model.safetensors")
    return run


def choice_of(run: Run) -> models.Choice:
    return models.Choice(run.id, run, run.checkpoint_digest())


@pytest.mark.parametrize("model", MODELS)
def test_the_map_holds_every_image_of_a_small_split_in_order(model: str) -> None:
    around = latent.cloud(view(model))
    assert around.index.tolist() == list(range(300))
    assert around.points.shape == (300, 2)
    _, labels = view(model).images()
    assert around.labels.tolist() == labels.tolist()


def test_a_large_split_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MAX_POINTS", 100)
    index = latent.cloud(view(split="train")).index
    assert len(index) == 100
    assert (index[0], index[-1]) == (0, 1296)
    assert set(np.diff(index)) <= {13, 14}


@pytest.mark.parametrize("model", MODELS)
def test_the_numbers_of_an_image_agree_with_each_other(model: str) -> None:
    numbers = data.point(view(model), 12).figures
    (likelihood, _), (kl, _), (elbo, se), (log_px, log_px_se) = (
        numbers[name] for name in ("log p(x|z)", "KL", "ELBO", "log p(x)")
    )
    assert elbo == pytest.approx(likelihood - kl, abs=1e-5)
    assert kl > 0
    assert 0 < se < 1
    assert log_px > elbo - 4 * (se + log_px_se), "the ELBO is a lower bound"


@pytest.mark.parametrize("model", MODELS)
def test_the_posterior_lies_where_the_map_has_its_mean(model: str) -> None:
    around, point = latent.cloud(view(model)), data.point(view(model), 12)
    spread = point.draws.std(0)
    # The draws' mean has an error of a twentieth of their spread; a flow's point on the map, of a
    # sixth.
    assert (np.abs(point.draws.mean(0) - around.points[12]) < 0.6 * spread).all()
    assert len(point.contours) == 3
    for curve in point.contours:
        np.testing.assert_allclose(curve[0], curve[-1], atol=1e-5)
    widths = [np.ptp(curve, axis=0) for curve in point.contours]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


def test_an_image_is_not_its_own_neighbour() -> None:
    around, point = latent.cloud(view()), data.point(view(), 12)
    assert len(point.neighbours) == latent.NEIGHBOURS
    assert 12 not in around.index[point.neighbours]
    away = np.linalg.norm(around.means - point.mean, axis=1)
    others = np.delete(away, 12)
    assert away[point.neighbours].max() <= np.partition(others, 8)[8]


def test_a_newer_checkpoint_is_never_shown_under_older_figures(untrained: Run) -> None:
    before = latent.cloud(View(choice_of(untrained), "test")).means
    save_model(VAE(untrained.config.model), untrained.folder / "model.safetensors")
    after = latent.cloud(View(choice_of(untrained), "test")).means
    assert not np.allclose(before, after)


def test_a_run_that_is_not_done_has_no_scores_to_colour_by(untrained: Run) -> None:
    looked_at = View(choice_of(untrained), "test")
    assert latent.held_out(looked_at) is None
    assert len(latent.cloud(looked_at, scored=True).index) == 300


def test_scores_belong_to_the_first_images_of_the_test_split_alone() -> None:
    scores = latent.held_out(view())
    assert scores is not None
    scored = latent.cloud(view(), scored=True)
    assert scored.index.tolist() == list(range(len(scores.log_px)))
    for index in (0, 5):
        value, se = data.point(view(), index).figures["log p(x)"]
        assert float(scores.log_px[index]) == pytest.approx(value, abs=0.2 + 4 * se)
    assert latent.held_out(view(split="train")) is None


# ---- the code to copy


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("tab", TABS)
def test_the_code_runs_as_it_stands(
    tab: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(code.lines(tab, view(model), 7, 9), names)
    if tab == "Prior":
        assert "dead" in capsys.readouterr().out


def test_the_code_computes_what_the_map_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(code.lines("Map", view(split="validation"), 7), names)
    shown = data.point(view(split="validation"), 7)
    around = latent.cloud(view(split="validation"))
    np.testing.assert_allclose(names["points"], around.points, atol=1e-6)
    np.testing.assert_allclose(names["image"].mean(0), shown.reconstruction, atol=1e-6)
    assert names["near"][1:].tolist() == shown.neighbours.tolist()


# ---- what comes from the browser and from the URL


def answered() -> None:
    import streamlit as st

    from app.parts.components import latent_walk

    st.write(repr(latent_walk.answer("walk", "here", 2)))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"anchor": "here", "z": [1, -2.5], "settled": True, "number": 4}, ([1.0, -2.5], True, 4)),
        ({"anchor": "elsewhere", "z": [1, 2]}, (None, False, 0)),
        ({"anchor": "here", "z": [1, 2, 3]}, (None, False, 0)),
        ({"anchor": "here", "z": [1, float("nan")]}, (None, False, 0)),
        ({"anchor": "here"}, (None, False, 0)),
        (None, (None, False, 0)),
    ],
)
def test_only_a_whole_answer_for_this_image_moves_z(sent: Any, expected: Any) -> None:
    app = AppTest.from_function(answered)
    app.session_state["walk"] = {"walk": sent}
    app.run()
    assert not app.exception
    assert app.markdown[0].value == repr(expected)


def addressed() -> None:
    import numpy as np
    import streamlit as st

    from app.views.latent import decode_tab

    start = np.array([0.5, 0.25])
    st.write(repr(decode_tab._from_address(2, start).tolist()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5_-2", [1.5, -2.0]),
        ("999_0", [10.0, 0.0]),
        ("1_2_3", [0.5, 0.25]),
        ("nan_1", [0.5, 0.25]),
        ("<script>", [0.5, 0.25]),
        ("", [0.5, 0.25]),
    ],
)
def test_a_position_in_the_url_is_taken_if_it_is_one(text: str, expected: list[float]) -> None:
    app = AppTest.from_function(addressed)
    app.query_params["z"] = text
    app.run()
    assert not app.exception
    assert app.markdown[0].value == repr(expected)
