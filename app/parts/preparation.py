"""How a file was turned into the pixels that a model is given, with a picture of every step."""

import numpy as np
import streamlit as st

from app.parts import charts
from app.shell import errors, frame
from vae_core.data.prepare import Prepared

SIDE = 108  # of a picture, in pixels


def picture(array: np.ndarray, caption: str) -> None:
    """Show an image (H, W) or (H, W, 3) in [0, 1]; its longer side is ``SIDE`` pixels."""
    height, width = array.shape[:2]
    charts.image(array, caption, round(SIDE * min(1.0, width / height)))


def steps(prepared: Prepared) -> None:
    """Show every step with its picture and reason."""
    with st.container(horizontal=True, gap="medium", key="preparation-steps"):
        for step in prepared.steps:
            with st.container(width=round(150 * frame.magnification()), gap="xxsmall"):
                picture(step.image / 255, step.name)
                st.caption(step.reason)


def missing_ink(prepared: Prepared) -> str:
    """Say why an image file shows nothing; return "" for a file that shows something."""
    if not prepared.inkless:
        return ""
    judged = ("Polarity", "Contrast", "Crop")
    reasons = dict.fromkeys(step.reason for step in prepared.steps if step.name in judged)
    return f"{errors.plain(prepared.filename)} shows nothing: {' '.join(reasons)}"
