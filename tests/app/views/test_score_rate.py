"""The slider of the false-alarm rate: it begins at the model's rate and follows it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views.score import rate
from tests.vae_core.runs.test_operating_points import made
from vae_core.basics.paths import pretrained_folder
from vae_core.runs.operating_points import forget_operating_point, keep_operating_point
from vae_core.runs.run import Run


@pytest.mark.parametrize("text", ["4", "0.1", "20", "3.49", "0.85"])
def test_a_link_can_have_any_rate_within_the_bounds(text: str) -> None:
    assert rate.can_be_chosen(text)


@pytest.mark.parametrize("text", ["", "0.05", "21", "nan", "four", "3.4999999"])
def test_a_link_can_have_no_other_rate(text: str) -> None:
    assert not rate.can_be_chosen(text)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "copy"
    shutil.copytree(pretrained_folder() / "digits-mean-field-d16", folder)
    return Run.open(folder)


def page(folder: str) -> None:
    from pathlib import Path

    import streamlit as st

    from app.services.models import Choice
    from app.views.score import rate
    from vae_core.runs.run import Run

    run = Run.open(Path(folder))
    choice = Choice(run.id, run, run.checkpoint_digest())
    st.text(rate.slider(st.container(), choice))


def shown(app: AppTest) -> float:
    app.run()
    assert not app.exception
    return float(app.text[0].value)


def test_the_slider_follows_the_operating_point_unless_another_rate_was_chosen(run: Run) -> None:
    app = AppTest.from_function(page, kwargs={"folder": str(run.folder)}, default_timeout=60)
    assert shown(app) == 0.04
    keep_operating_point(run, lambda *how: replace(made(*how), false_alarms=0.0349))
    assert shown(app) == 0.0349
    slider: Any = app.select_slider[0]
    assert "3.49 % is the operating point of this model." in slider.proto.help
    slider.set_value("10")
    assert shown(app) == 0.1
    forget_operating_point(run)
    assert shown(app) == 0.1
    app.select_slider[0].set_value("4")
    assert shown(app) == 0.04
    keep_operating_point(run, made)
    assert shown(app) == 0.03


def test_a_rate_in_the_link_comes_before_the_operating_point(run: Run) -> None:
    keep_operating_point(run, made)
    app = AppTest.from_function(page, kwargs={"folder": str(run.folder)}, default_timeout=60)
    app.query_params["false_alarms"] = "0.85"
    assert shown(app) == 0.0085
