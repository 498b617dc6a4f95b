"""Controls of the Score page: model, number of samples, preparation of images."""

from collections.abc import Collection
from typing import Any

import streamlit as st

from app.parts import pickers, widgets
from app.parts.widgets import IN_URL
from app.services.models import Choice
from app.shell import errors
from app.views.score import better_model, give, rate
from vae_core.settings.choices import BINARY, Binarisation
from vae_core.settings.fields import settings_of
from vae_core.settings.options import AS_TRAINED, ScoreOptions

SAMPLES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
_OPTIONS = {each.name: each for each in settings_of(ScoreOptions)}
ONLY = ("All", "Unlike", "Unusual", "Typical")
"""Which images are listed: all, or those with this verdict."""
TABLE, SHEET = VIEWS = ("Table", "Sheet")
STEPS = ("invert", "contrast", "crop", "centre", "frames")


def controls() -> tuple[Choice, int, float, dict[str, Any], Binarisation]:
    """Draw the controls; return model, K, false-alarm rate, preparation steps and binarisation."""
    _report_unknown_settings()
    left, middle, rates, right = st.columns([4, 3, 3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        choice = pickers.pick_model(first_of=better_model.first_of)
    samples = middle.select_slider(
        _OPTIONS["importance_samples"].label,
        SAMPLES,
        value=_OPTIONS["importance_samples"].default,
        key="K",
        help=_OPTIONS["importance_samples"].help,
        **IN_URL,
    )
    false_alarms = rate.slider(rates, choice)
    changed = any(name in st.query_params for name in (*STEPS, "binarisation"))
    label = "Preparation (changed)" if changed else "Preparation"
    with right, widgets.more(label, "prepare"):
        return choice, samples, false_alarms, *preparation(choice)


def _report_unknown_settings() -> None:
    """Say which settings of a link do not exist. Their widgets use the defaults instead."""
    linked = st.query_params.get(rate.KEY, "")
    known: dict[str, Collection[str]] = {
        "K": tuple(map(str, SAMPLES)),
        rate.KEY: [linked] if rate.can_be_chosen(linked) else (),
        "way": give.WAYS,
        "only": ONLY,
        "view": VIEWS,
        **{name: _OPTIONS[name].choices or () for name in ("binarisation", *STEPS)},
    }
    given = {name: st.query_params[name] for name in known if name in st.query_params}
    wrong = [f"{name} = {each}" for name, each in given.items() if each not in known[name]]
    if wrong:
        told = errors.plain(", ".join(wrong))
        st.toast(
            f"This link contains settings that do not exist; they were ignored: {told}.",
            duration="long",
        )


def preparation(choice: Choice) -> tuple[dict[str, Any], Binarisation]:
    """Choose how a file becomes the model's pixels."""
    chosen = {step: _choice(step) for step in STEPS}
    config = choice.run.config
    trained = config.train.binarisation
    if config.model.likelihood not in BINARY:  # this likelihood accepts grey values only
        return chosen, trained
    binarisation = _choice("binarisation", f" This model was trained with {trained}.")
    return chosen, trained if binarisation == AS_TRAINED else binarisation


def _choice(name: str, more: str = "") -> Any:
    """The control of one option."""
    about = _OPTIONS[name]
    return st.segmented_control(
        about.label,
        about.choices or (),
        default=about.default,
        required=True,
        key=name,
        help=about.help + more,
        **IN_URL,
    )
