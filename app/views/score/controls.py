"""Controls of the Score page: model, number of samples, preparation of images."""

from collections.abc import Collection
from typing import Any, get_args

import streamlit as st

from app.parts import pickers, widgets
from app.parts.widgets import IN_URL
from app.services.models import Choice
from app.shell import errors
from app.views.score import give
from vae_core.settings.choices import BINARY, Binarisation
from vae_core.settings.config import explain

SAMPLES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
STEPS = {
    "invert": ("Invert", "Makes dark ink on a light ground light ink on a dark one."),
    "contrast": ("Contrast", "Makes the ground black and the ink white."),
    "crop": ("Crop", "Cuts to the ink and gives it the size it has in the training images."),
    "centre": ("Centre", "Moves the ink to where it is in the training images."),
}
PREPARED = ("auto", "yes", "no")
AS_TRAINED = "as trained"


def controls() -> tuple[Choice, int, dict[str, Any], Binarisation]:
    """Draw the controls and return model, samples, preparation steps and binarisation."""
    _report_unknown_settings()
    left, middle, right = st.columns([4, 4, 2], gap="medium", vertical_alignment="bottom")
    with left:
        choice = pickers.pick_model()
    samples = middle.select_slider(
        "Importance samples K",
        SAMPLES,
        value=1000,
        key="K",
        help="More samples bring the estimate closer to log p(x), from below; they take longer.",
        **IN_URL,
    )
    changed = any(name in st.query_params for name in (*STEPS, "binarisation"))
    label = "Preparation (changed)" if changed else "Preparation"
    with right, widgets.more(label, "prepare"):
        return choice, samples, *preparation(choice)


def _report_unknown_settings() -> None:
    """Say which settings of a link do not exist. Their widgets use the defaults instead."""
    known: dict[str, Collection[str]] = {
        "K": tuple(map(str, SAMPLES)),
        "binarisation": (AS_TRAINED, *get_args(Binarisation)),
        "way": give.WAYS,
        **dict.fromkeys(STEPS, PREPARED),
    }
    linked = {name: st.query_params[name] for name in known if name in st.query_params}
    wrong = [f"{name} = {each}" for name, each in linked.items() if each not in known[name]]
    if wrong:
        told = errors.plain(", ".join(wrong))
        st.toast(
            f"This link contains settings that do not exist; they were ignored: {told}.",
            duration="long",
        )


def preparation(choice: Choice) -> tuple[dict[str, Any], Binarisation]:
    """Choose how a file becomes the model's pixels."""
    chosen: dict[str, Any] = {
        step: st.segmented_control(
            label, PREPARED, default="auto", required=True, key=step, help=does,
            **IN_URL,
        )
        for step, (label, does) in STEPS.items()
    }  # fmt: skip
    config = choice.run.config
    trained = config.train.binarisation
    if config.model.likelihood not in BINARY:  # this likelihood accepts grey values only
        return chosen, trained
    binarisation: Any = st.segmented_control(
        "Binarisation",
        (AS_TRAINED, *get_args(Binarisation)),
        default=AS_TRAINED,
        required=True,
        key="binarisation",
        help=f"{explain('binarisation').help} This model was trained with {trained}.",
        **IN_URL,
    )
    return chosen, trained if binarisation == AS_TRAINED else binarisation
