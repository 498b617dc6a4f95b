"""The button Play, which takes one step after the other."""

import streamlit as st


def button(steps: str) -> None:
    """Draw the button. The browser takes the steps itself (``app/shell/keys.js``).

    It presses the button or moves the slider of the page, as the key p does. Where the system asks
    for less motion, it takes one step for each press.

    Args:
        steps: what is shown one after the other, for the help text.
    """
    with st.container(key="play-place", width="content"):
        st.button(
            ":material/play_arrow:",
            key="play",
            help=f"Play: shows {steps} one after the other. Again: pause. The key p does the same.",
        )
