"""What the Posterior lab shows for what was chosen, given, removed or asked for by a link."""

import io
from dataclasses import replace

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.services import models
from app.services.models import Choice
from vae_core.runs.checkpoint import ModelFileError
from vae_core.runs.store import pretrained_runs

TIMEOUT = 180  # seconds; the first script imports torch


def an_image() -> None:
    import streamlit as st

    from app.parts import pickers
    from app.views.posterior.subject import pick_subject, show_preparation

    subject = pick_subject(pickers.pick_model(), st.container())
    assert subject is not None
    show_preparation(subject)
    st.text(f"shown: {subject.label}")


def some_families() -> None:
    import streamlit as st

    from app.parts import pickers
    from app.views.posterior.families import pick_members

    members = pick_members(pickers.pick_model(), st.container())
    st.text(", ".join(member.name for member in members))


def a_flow() -> None:
    import streamlit as st

    from app.views.posterior.flow_tab import _pick_flow

    st.text(_pick_flow(st.query_params["flows"].split(",")))


def a_table() -> None:
    import streamlit as st

    from app.parts import pickers
    from app.views.posterior.families import Member
    from app.views.posterior.subject import pick_subject
    from app.views.posterior.truth_tab import figures_table

    choice = pickers.pick_model()
    subject = pick_subject(choice, st.container())
    assert subject is not None
    figures_table(subject, [Member(choice)])


def opened(script: object, **query: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=TIMEOUT)  # type: ignore[arg-type]
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def shown(app: AppTest) -> str:
    return app.text[-1].value


def said(app: AppTest) -> str:
    return " ".join(each.value for each in [*app.caption, *app.error])


def white() -> bytes:
    out = io.BytesIO()
    Image.new("L", (60, 60), "white").save(out, "PNG")
    return out.getvalue()


# ---- the image


def test_a_file_that_is_removed_is_no_longer_looked_at() -> None:
    app = opened(an_image, source="Your file")
    assert shown(app).startswith("shown: test image")
    app.file_uploader[0].set_value(("white.png", white(), "image/png")).run()
    assert shown(app) == "shown: white.png"
    assert "white.png shows nothing: It has one colour" in said(app)
    assert any(each.label == "How the image was prepared" for each in app.expander)
    app.file_uploader[0].set_value(None).run()
    assert shown(app).startswith("shown: test image")
    assert "shows nothing" not in said(app)


def test_the_message_of_a_broken_file_goes_with_it() -> None:
    app = opened(an_image, source="Your file")
    app.file_uploader[0].set_value(("no.png", b"not an image", "image/png")).run()
    assert "A test image is shown until you upload another file." in said(app)
    app.file_uploader[0].set_value(None).run()
    assert not app.error


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ({"image": "-1"}, "test image 0"),
        ({"image": "300"}, "test image 299"),
        ({"source": "Drawn by the model", "draw": "-7"}, "draw 0 of the model"),
    ],
)
def test_a_link_to_an_image_that_is_not_there_says_so(query: dict[str, str], label: str) -> None:
    app = opened(an_image, **query)
    assert shown(app).startswith(f"shown: {label}")
    assert "is outside 0 to" in said(app)


def test_a_link_to_an_image_that_is_there_shows_it() -> None:
    app = opened(an_image, image="42")
    assert shown(app).startswith("shown: test image 42")
    assert "outside" not in said(app)


# ---- the families


def test_without_a_family_it_is_said_whose_is_drawn() -> None:
    app = opened(some_families)
    assert "No family is chosen" not in said(app)
    app.button_group[0].set_value([]).run()
    assert shown(app) == "Full covariance"
    assert "so the page shows the model's own family, Full covariance" in said(app)


def test_a_companion_that_cannot_be_read_is_named_and_the_others_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = models.model

    def spoilt(choice: Choice) -> object:
        if choice.run.config.model.posterior == "mean-field":
            raise ModelFileError("its weights do not fit")
        return model(choice)

    every = models.companions

    def anew(choice: Choice) -> dict[str, Choice]:  # known to no cache
        return {key: replace(other, digest="anew") for key, other in every(choice).items()}

    monkeypatch.setattr(models, "model", spoilt)
    monkeypatch.setattr(models, "companions", anew)
    app = opened(some_families)
    assert shown(app) == "Full covariance, Spline"
    name = next(run.name for run in pretrained_runs() if run.id == "digits-full-d2-mean-field")
    assert "Left out because the weights cannot be read: Mean-field (" in said(app)
    assert name.partition(" ")[0] in said(app)
    assert not app.exception


# ---- the flow


def test_of_several_flows_the_first_is_taken_until_another_is_chosen() -> None:
    app = opened(a_flow, flows="Planar,Spline")
    assert app.button_group[0].value == "Planar"
    assert shown(app) == "Planar"
    app.button_group[0].set_value("Spline").run()
    assert shown(app) == "Spline"
    app.query_params["flows"] = "Planar,IAF"
    assert shown(app.run()) == "Planar"
    assert app.button_group[0].value == "Planar"


# ---- the distances


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "estimated"),
    [("pretrained/digits-full-d2", False), ("pretrained/digits-mean-field-d16", True)],
)
def test_a_distance_from_an_estimate_is_the_least_there_is(model: str, estimated: bool) -> None:
    app = opened(a_table, model=model)
    table = app.get("html")[0].proto.body  # type: ignore[attr-defined]
    assert ("KL(q ‖ p), at least" in table) == estimated
    assert ("each true distance is at least as shown" in said(app)) == estimated
