"""Values of widgets that several pages have, such as the number of the image, carried along.

If the value came from the address and was not touched, Streamlit resets the widget to its default
when another page opens. It also drops such a value from a link to that page, because the parameter
belonged to the page before.
"""

from typing import Any

import streamlit as st

_VALUES, _PAGE = "carried-values", "carried-page"


def keep(key: str, value: Any) -> None:
    """Keep the value of a widget with this key for other pages."""
    st.session_state.setdefault(_VALUES, {})[key] = value


def arrive(page: str) -> None:
    """Give the kept values to the widgets of a page that has just been opened.

    A value in the address comes first. Call it before the page is drawn.
    """
    if st.session_state.get(_PAGE) == page:
        return
    st.session_state[_PAGE] = page
    for key, value in st.session_state.get(_VALUES, {}).items():
        if key not in st.query_params:
            st.session_state[key] = value
