"""The selection on a sheet of pictures, as a browser sends it."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest


def sent() -> None:
    import streamlit as st

    from app.parts.components.image_sheet import selected

    st.write(repr(selected("sheet")))


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (None, []),
        ({"selected": None}, []),
        ({"selected": "a.png"}, []),
        ({"selected": ["a.png", 7, None, "b.png"]}, ["a.png", "b.png"]),
    ],
)
def test_only_names_are_taken_from_the_browser(state: Any, names: list[str]) -> None:
    app = AppTest.from_function(sent)
    app.session_state["sheet"] = state
    app.run()
    assert not app.exception
    assert app.markdown[0].value == repr(names)
