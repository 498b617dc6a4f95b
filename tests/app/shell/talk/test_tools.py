"""The buttons of every page that add a screen to the talk and change the talk."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.shell.talk.talks import MOST_STEPS, Talk, packed, step_of

ROOT = Path(__file__).resolve().parents[4]
OPEN = "talk-open"


def bar() -> None:
    """A page with the buttons alone; it shows the address that it has at the end."""
    import streamlit as st

    from app.shell.talk import state, tools

    state.arrive()
    tools.show(st.session_state["page"], presenting=False)


def page_at(path: str, talk: Talk | None = None, **query: str) -> AppTest:
    app = AppTest.from_function(bar, default_timeout=60)
    app.session_state["page"] = path
    for name, value in query.items():
        app.query_params[name] = value
    if talk is not None:
        app.session_state[OPEN] = talk
    app.run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_a_screen_is_added_with_its_address_but_without_the_frame() -> None:
    app = press(page_at("latent", tab="Prior", present="true"), "talk-add")
    assert app.session_state[OPEN] == Talk((step_of("latent?tab=Prior"),))
    assert app.query_params["talk"] == packed(Talk((step_of("latent?tab=Prior"),)))
    assert [each.value for each in app.toast] == ["Added as step 1 of the talk."]


def test_what_is_not_a_page_is_not_added() -> None:
    app = press(page_at("no-such-page"), "talk-add")
    assert app.session_state[OPEN] == Talk()
    assert "not a page" in app.toast[0].value


def test_a_full_talk_says_so() -> None:
    app = press(page_at("start", Talk((step_of("start"),) * MOST_STEPS)), "talk-add")
    assert "at most 100" in app.toast[0].value


def test_the_broken_talk_of_a_link_is_refused_by_a_sentence() -> None:
    app = AppTest.from_function(bar, default_timeout=60)
    app.session_state["page"] = "start"
    app.query_params["talk"] = "broken"
    app.run()
    assert "cannot be read" in app.toast[0].value


@pytest.mark.parametrize(
    ("pressed", "left"),
    [("talk-down-0-0", ["b", "a"]), ("talk-up-0-1", ["b", "a"]), ("talk-remove-0-0", ["b"])],
)
def test_steps_are_moved_and_removed_in_the_dialog(pressed: str, left: list[str]) -> None:
    app = page_at("start", Talk(tuple(step_of("start", note) for note in "ab")))
    press(press(app, "talk-talk"), pressed)
    assert [step.note for step in app.session_state[OPEN].steps] == left


def test_a_note_is_kept_as_one_line() -> None:
    app = press(page_at("start", Talk((step_of("start"),))), "talk-talk")
    app.text_input(key="talk-note-0-0").set_value(" <b>say</b>  *this* ").run()
    assert not app.exception
    assert app.session_state[OPEN].steps[0].note == "<b>say</b> *this*"


@pytest.mark.parametrize(
    ("pressed", "left"),
    [
        ("talk-remove-0-0", ["later"]),
        ("talk-remove-0-1", ["a"]),
        ("talk-down-0-0", ["later", "a"]),
        ("talk-close", []),
    ],
)
def test_a_note_that_is_typed_just_before_a_click_goes_to_its_step(
    pressed: str, left: list[str]
) -> None:
    app = page_at("start", Talk((step_of("start", "a"), step_of("latent", "b"))))
    press(app, "talk-talk")
    app.text_input(key="talk-note-0-1").set_value("later")  # sent together with the click
    press(app, pressed)
    assert [step.note for step in app.session_state[OPEN].steps] == left


def test_a_talk_is_closed() -> None:
    app = press(page_at("start", Talk((step_of("start"),))), "talk-talk")
    press(app, "talk-close")
    assert app.session_state[OPEN] == Talk()
    assert "talk" not in app.query_params


def test_the_title_of_a_step_is_never_taken_for_markdown() -> None:
    app = page_at("start", Talk((step_of("latent?tab=**[x](http://a)**"),)))
    press(app, "talk-talk")
    label = app.button(key="talk-open-0-0").label
    assert r"\*\*\[x\]" in label


@pytest.mark.slow
def test_the_buttons_are_on_a_page_of_the_app_in_and_out_of_presentation() -> None:
    for present in (False, True):
        app = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=120)
        app.session_state["present"] = present
        app.run()
        assert not app.exception
        assert {"talk-add", "talk-talk", "talk-qr"} <= {each.key for each in app.button}
