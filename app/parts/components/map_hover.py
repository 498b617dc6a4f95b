"""The image of a point, beside the pointer, while the pointer is on a chart.

The pictures are sent once the pointer is on the chart for the first time, so a page that nobody
points at does not carry them.
"""

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.components.v2 import component

from app.parts.components.versions import numbered
from app.services.thumbnails import Atlas

_HERE = Path(__file__).parent

_component = component(
    "map_hover",
    css=(_HERE / "map_hover.css").read_text("utf-8"),
    js=(_HERE / "map_hover.js").read_text("utf-8"),
)


def map_hover(
    key: str,
    chart: str,
    anchor: str,
    index: NDArray[np.intp],
    atlas: Callable[[], Atlas],
    on_ask: Callable[[], None],
) -> None:
    """Show the images of a chart's points at the pointer. Call it in a fragment of its own.

    Args:
        chart: key of the chart; the ``customdata`` of its points are the numbers of images.
        anchor: identifies the images; when it changes, the pictures are asked for again.
        index: the numbers of the images on the atlas, in its order, (N,).
        atlas: makes the pictures.
        on_ask: called when the browser asks for the pictures.
    """
    wanted = (st.session_state.get(key) or {}).get("wanted") == anchor
    data: dict[str, object] = {"chart": chart, "anchor": anchor, "atlas": None}
    if wanted:
        numbers = base64.b64encode(index.astype("<u4").tobytes()).decode()
        data |= {"atlas": vars(atlas()), "numbers": numbers}
    _component(key=key, data=numbered(key, data), on_wanted_change=on_ask)
