"""Rows of small pictures, which wrap where the page is narrow."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.figures.pictures import as_picture
from app.parts import charts

_SHARP = 96  # pixels that the longer side is enlarged to, at least


@dataclass(frozen=True)
class Row:
    """Pictures with a name.

    Attributes:
        name: stands before the pictures; may be empty.
        images: uint8, (n, C, H, W).
        texts: what each picture shows, for a pointer and for those who cannot see it.
    """

    name: str
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    texts: Sequence[str]


def show(rows: Sequence[Row], key: str) -> None:
    """Show rows of pictures with sharp pixels."""
    named = any(row.name for row in rows)
    body = "".join(_row(row, named) for row in rows)
    with st.container(key=key):
        st.html(f'<div class="picture-rows">{body}</div>')


def _row(row: Row, named: bool) -> str:
    pictures = "".join(map(_picture, row.images, row.texts))
    name = f"<b>{html.escape(row.name)}</b>" if named else ""
    return f'<div class="{"named" if named else ""}">{name}<div>{pictures}</div></div>'


def _picture(pixels: NDArray[np.uint8], text: str) -> str:
    picture = as_picture(pixels)
    encoded = charts.png(picture, max(1, _SHARP // max(picture.shape[:2])))
    source = base64.b64encode(encoded).decode()
    about = html.escape(text)
    return f'<img src="data:image/png;base64,{source}" alt="{about}" title="{about}">'
