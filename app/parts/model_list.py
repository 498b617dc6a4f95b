"""A list of the models and runs whose weights fit the settings of a form."""

from typing import Any

import streamlit as st

from app.services import models
from vae_core.settings.config import ModelConfig
from vae_core.settings.data_sets import find_dataset
from vae_core.settings.fields import ConfigError, Setting, settings_of

OF_MODELS = {"decoder_of": True, "start_from": False}
"""Settings that name a model, and whether only its decoder must fit."""


def model_input(about: Setting, key: str, form: str, common: dict[str, Any]) -> str:
    """Draw the list and return the key of the chosen model, or an empty text.

    A link or the user may name another model; Start says why it does not fit.

    Args:
        key: of the widget.
        form: key of the form, which holds the settings of the new model.
    """
    fitting = models.fitting(_model_of(form), OF_MODELS[about.name])
    options = ["", *fitting]
    chosen = st.session_state.get(key)
    if chosen and chosen not in options:
        options.append(chosen)
    return (
        st.selectbox(
            options=options,
            format_func=lambda each: each or about.placeholder,
            accept_new_options=True,
            **common,
        )
        or ""
    )


def _model_of(form: str) -> ModelConfig | None:
    """The architecture that a form describes now; None if it is not valid."""
    state = st.session_state
    names = [s.name for s in settings_of(ModelConfig)]
    given = {name: state[f"{form}_{name}"] for name in names if f"{form}_{name}" in state}
    try:
        info = find_dataset(state.get(f"{form}_dataset", "digits"))
        classes = max(2, len(info.classes))
        return ModelConfig(image_shape=info.image_shape, classes=classes, **given)
    except ConfigError:
        return None
