"""Charts with a menu that saves them, and images."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from app.figures import style
from app.figures.pictures import as_bytes
from app.shell import frame
from app.shell.report import record

Table = Mapping[str, Sequence[Any] | np.ndarray]


def chart(
    figure: go.Figure,
    key: str,
    alt: str,
    csv: Table | Callable[[], str] | None = None,
    *,
    on_select: Callable[[], None] | Literal["rerun", "ignore"] = "ignore",
    selection_mode: Sequence[Literal["points", "box", "lasso"]] = ("points",),
) -> Any:
    """Show a figure, with a small menu that saves its data (CSV) or a picture (PNG, SVG).

    Args:
        figure: laid out by :func:`app.figures.style.layout`, which also sets the height.
        key: name of the chart on its page, and of the files saved from it.
        alt: one or two sentences for people who cannot see the chart.
        csv: the data by columns, or a function that makes the CSV; by default the drawn data.
        on_select, selection_mode: as in ``st.plotly_chart``.

    Returns:
        The selection, where ``on_select`` asks for one.
    """
    record.chart(key, alt, lambda: figure.to_json() or "")
    saved = st.session_state.get("picture-format", "PNG")
    with st.container(key=f"chart-{key}", gap=None):
        if frame.presenting():  # the style sheet of the mode enlarges charts with the screen
            st.html(f"<style>.st-key-chart-{key} {{ --height: {_height(figure)}px }}</style>")
        shown = st.plotly_chart(
            figure,
            key=key,
            theme="streamlit",
            height=_height(figure),
            config=style.chart_config(key, "svg" if saved == "SVG" else "png"),
            alt=alt,
            on_select=on_select,
            selection_mode=selection_mode,
        )
        with st.popover(
            ":material/download:",
            type="tertiary",
            key=f"save-{key}",
            help="Save this chart: its data, or a picture.",
        ):
            _save_menu(figure, key, csv, saved)
    return shown


def _save_menu(
    figure: go.Figure, key: str, csv: Table | Callable[[], str] | None, saved: str
) -> None:
    st.download_button(
        "Data as CSV",
        _csv_maker(figure, csv),
        file_name=f"{key}.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"csv-{key}",
        icon=":material/table:",
        help="Saves the numbers behind this chart as a table.",
    )
    st.session_state[f"format-{key}"] = saved
    st.segmented_control(
        "Picture format",
        ["PNG", "SVG"],
        required=True,
        key=f"format-{key}",
        on_change=_remember_format,
        args=(f"format-{key}",),
        help="Format in which the camera above a chart saves it: PNG for slides, SVG for print.",
    )


def _height(figure: go.Figure) -> int | Literal["content"]:
    layout: Any = figure.layout
    return layout.height or "content"


def _csv_maker(figure: go.Figure, csv: Table | Callable[[], str] | None) -> Callable[[], str]:
    if csv is None:
        return lambda: style.figure_csv(figure)
    return csv if callable(csv) else lambda: style.csv_text(csv)


def _remember_format(key: str) -> None:
    st.session_state["picture-format"] = st.session_state[key] or "PNG"


def image(
    array: np.ndarray,
    caption: str | None = None,
    width: int | Literal["stretch"] = 112,
    *,
    alt: str | None = None,
) -> None:
    """Show an image (H, W) or (H, W, 3) in [0, 1] with sharp pixels, ``width`` pixels wide.

    Without ``alt`` the caption describes the image to people who cannot see it. The pixels are
    embedded in the page. A separate file might be gone before the browser fetches it, where images
    replace each other every second.
    """
    if width != "stretch":
        width = round(width * frame.magnification())
    # About twice the size on screen, in whole multiples of a pixel, for displays of high density.
    scale = max(1, round(2 * (240 if width == "stretch" else width) / array.shape[1]))
    source = "data:image/png;base64," + base64.b64encode(png(array, scale)).decode()
    st.image(source, caption=caption, width=width, alt=alt or caption or "")


def png(array: np.ndarray, scale: int = 1) -> bytes:
    """Encode an image (H, W) or (H, W, 3) in [0, 1] as a PNG, ``scale`` times enlarged."""
    levels = as_bytes(np.nan_to_num(np.asarray(array, dtype=np.float32)))
    picture = Image.fromarray(levels)
    if levels.ndim == 2:
        # One byte a pixel is encoded several times faster than three
        picture.putpalette(style.ink_palette())
    picture = picture.resize(
        (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
    )
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
