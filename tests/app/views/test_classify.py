"""The Classify page: it measures every way that its models offer."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.services import models, runs
from app.shell import navigation

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[3] / "app" / "views" / "classify" / "page.py"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
    runs.store.clear()
    (tmp_path / "runs").mkdir()


def opened(model: str) -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=120)
    app.query_params["model"] = model
    app.run()
    for _ in range(200):
        if any("classify-table" in each.proto.body for each in app.get("html")):
            break
        app.run()
    assert not app.exception
    return app


def test_the_latents_of_a_model_classify_its_test_images():
    app = opened("pretrained/digits-mean-field-d16")
    tables = [e.proto.body for e in app.get("html") if "classify-table" in e.proto.body]
    assert "Logistic regression" in tables[0]


def test_bayes_rule_is_beside_them_by_the_model_of_p_of_x_given_y():
    app = opened("pretrained/digits-mean-field-d16")
    assert app.selectbox(key="given").value == "pretrained/digits-given-class-d8"


def test_without_a_model_of_p_of_x_given_y_the_page_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
):
    of_px = models.choices
    monkeypatch.setattr(models, "choices", lambda **_: of_px())
    app = opened("pretrained/digits-mean-field-d16")
    assert any("no model of p(x|y)" in each.value for each in app.caption)
