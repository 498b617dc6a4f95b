"""Inputs for several values of a setting."""

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.parts.forms import help_text
from vae_core.settings.fields import ConfigError, Setting, checked


def values_input(about: Setting, key: str, first: Sequence[Any], label: str = "") -> list[Any]:
    """Draw an input for several values: a list of choices, or a text of numbers.

    Args:
        first: values at first.
        label: in the place of the setting's own label.

    Raises:
        ConfigError: if the text is not a list of values that the setting can have.
    """
    label = label or about.label
    if about.choices is not None:
        st.session_state.setdefault(key, [each for each in first if each in about.choices])
        return st.multiselect(
            label,
            about.choices,
            format_func=lambda choice: about.titles.get(choice, str(choice)),
            key=key,
            persist_state="session",
            help=help_text(about),
            placeholder="Choose values",
        )
    st.session_state.setdefault(key, ", ".join(f"{each:g}" for each in first))
    text = st.text_input(
        label,
        key=key,
        persist_state="session",
        max_chars=400,
        placeholder="such as 2, 8, 16",
        help=f"Numbers with commas or spaces between them. {help_text(about)}",
    )
    return numbers(about, text or "")


def numbers(about: Setting, text: str) -> list[Any]:
    """Read the values of a setting from a text such as ``"2, 8 16"``.

    Raises:
        ConfigError: if a part is no number, or one that the setting cannot have.
    """
    return [checked(about, _number(about, part)) for part in re.split(r"[,;\s]+", text) if part]


def _number(about: Setting, part: str) -> int | float:
    try:
        return int(part) if about.kind is int else float(part)
    except ValueError:
        raise ConfigError(
            f"{about.label} takes numbers with commas between them; {part[:40]!r} is none."
        ) from None
