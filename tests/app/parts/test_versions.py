"""The version by which a component tells newer data from older."""

from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from app.parts.components.versions import numbered

    data = {"text": st.session_state.get("text", "first")}
    st.session_state.setdefault("versions", []).append(numbered("pad", data)["version"])


def versions(app: AppTest, *texts: str) -> list[int]:
    for text in texts:
        app.session_state["text"] = text
        app.run()
        assert not app.exception
    return app.session_state["versions"]


def test_the_version_grows_with_every_change_and_stays_without_one() -> None:
    first, same, other, again = versions(AppTest.from_function(page), "a", "a", "b", "a")
    assert first == same < other < again


def test_a_new_session_goes_on_above_the_versions_of_the_one_before() -> None:
    before = versions(AppTest.from_function(page), *"abcdefgh")
    after = versions(AppTest.from_function(page), "a")
    assert after[0] >= before[-1]
