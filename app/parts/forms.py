"""Forms made from the config classes: every setting declared there appears in the form.

Values are kept in the URL (``?new_latent_size=16``) and in the session. So a form survives a
refresh and a switch of page, and a link can carry it. Streamlit checks bounds in the browser only;
:func:`checked` lets the config classes check them again.
"""

import dataclasses
import types
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from app.parts.glossary import see
from app.parts.model_list import OF_MODELS, model_input
from app.shell import errors
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.data_sets import dataset_called, find_dataset
from vae_core.settings.fields import ConfigError, Setting, settings_of
from vae_core.settings.presets import PRESETS, Preset

RUN_SETTINGS = tuple(s for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind))
_SYMBOLS = {"latent_size": "d", "samples": "L", "iwae_samples": "K"}
_FITS = 16  # characters of a choice that fit into a narrow column


def run_form(key: str = "new", columns: int = 4) -> dict[str, Any]:
    """Draw widgets for all settings of a run; advanced settings are hidden behind "More".

    Args:
        key: name of the form, in the session and in the URL.
        columns: number of settings side by side where there is room.

    Returns:
        The settings that apply, as the flat mapping that ``RunConfig.from_settings`` takes.
    """
    values: dict[str, Any] = {}
    main = [s for s in RUN_SETTINGS if not s.advanced]
    _grid(main, key, columns, values)
    with st.expander("More", icon=":material/tune:", key=f"{key}-more"):
        _grid([s for s in RUN_SETTINGS if s.advanced], key, columns, values)
    return values


def checked(values: Mapping[str, Any]) -> RunConfig | None:
    """Make a config from the values; show the reason and return None if they are not valid."""
    try:
        return RunConfig.from_settings(values)
    except ConfigError as error:
        st.error(errors.plain(str(error)))
        return None


def prefill(config: RunConfig, key: str = "new", **changes: Any) -> None:
    """Fill the form called ``key`` with the settings of a run, so that a copy can be changed.

    Call it before the form is drawn: in a callback, or on another page before ``navigation.go``.
    """
    values = config.settings() | changes
    if (dataset := dataset_called(values["dataset"])) is not None:
        values["dataset"] = dataset.name
        st.session_state[_suggestions(key)] = _suggestions_of(values["dataset"])
    else:  # removed since: the form keeps its data set
        del values["dataset"]
    for name, value in values.items():
        st.session_state[f"{key}_{name}"] = value


def choose_dataset(name: str, key: str = "new") -> None:
    """Choose a data set in the form called ``key``, before ``navigation.go`` leads to it."""
    st.session_state[f"{key}_dataset"] = name


def grid(
    settings: Iterable[Setting], key: str, notes: Mapping[str, str], columns: int
) -> dict[str, Any]:
    """Draw widgets for settings, side by side, with a note below some of them.

    Args:
        notes: by the names of settings, in Markdown.

    Returns:
        The values of the settings.
    """
    values: dict[str, Any] = {}
    _grid(settings, key, columns, values, notes)
    return values


def help_text(about: Setting) -> str:
    """Help of a setting, with a link to its symbol in the glossary if it has one."""
    symbol = _SYMBOLS.get(about.name)
    return about.help + (see(symbol) if symbol else "")


def setting_input(about: Setting, key: str) -> Any:
    """Draw the widget of a setting and return its value."""
    common: dict[str, Any] = {
        "label": about.label,
        "key": key,
        "help": help_text(about),
        "bind": "query-params",
    }
    if about.name in OF_MODELS:
        return model_input(about, key, key.removesuffix(f"_{about.name}"), common)
    if about.choices is not None:
        return st.selectbox(
            options=about.choices,
            index=about.choices.index(about.default),
            format_func=lambda choice: about.titles.get(choice, str(choice)),
            **common,
        )
    if about.kind is str:
        return st.text_input(
            value=about.default, max_chars=80, placeholder=about.placeholder, **common
        )
    return _number_input(about, common)


def _grid(
    settings: Iterable[Setting],
    key: str,
    columns: int,
    values: dict[str, Any],
    notes: Mapping[str, str] = types.MappingProxyType({}),
) -> None:
    """Draw the settings that apply, row by row, and add their values to ``values``.

    A choice with long names has its own row. The settings after it fill the row above.
    """
    row: list[Any] = []
    for about in settings:
        if not _applies(about, values):
            continue
        alone = _is_long(about)
        if not row and not alone:
            row = list(st.columns(columns))
        if "dataset" in values:
            about = _suggested(about, values["dataset"])
        with st.container() if alone else row.pop(0):
            values[about.name] = setting_input(about, f"{key}_{about.name}")
            if note := notes.get(about.name):
                st.caption(note)
        if about.name == "dataset":
            _update_defaults(key, values["dataset"])
            _offer_presets(key, values["dataset"])


def _is_long(about: Setting) -> bool:
    """Whether a choice of the setting may be too long for a column."""
    return max(map(len, about.titles.values()), default=0) > _FITS


def _suggested(about: Setting, dataset: str) -> Setting:
    """Copy a setting with the default that is suggested for the data set."""
    default = find_dataset(dataset).suggested.get(about.name, about.default)
    return dataclasses.replace(about, default=default)


def _update_defaults(key: str, dataset: str) -> None:
    """When the data set changes, move settings that still have its old defaults to the new."""
    now = _suggestions_of(dataset)
    before = st.session_state.get(_suggestions(key), now)
    st.session_state[_suggestions(key)] = now
    if before == now:
        return
    for about in RUN_SETTINGS:
        name = f"{key}_{about.name}"
        old, new = (each.get(about.name, about.default) for each in (before, now))
        if old != new and st.session_state.get(name, old) == old:
            st.session_state[name] = new


def _suggestions(key: str) -> str:
    return f"{key}-suggestions"


def _suggestions_of(dataset: str) -> dict[str, Any]:
    """Copy what a data set suggests; it may be removed before another one is chosen."""
    return dict(find_dataset(dataset).suggested)


def _offer_presets(key: str, dataset: str) -> None:
    """Draw buttons that fill the form; small data sets need none, their defaults suit them."""
    if find_dataset(dataset).embedded:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Start from", width="content")
        for name, preset in PRESETS.items():
            st.button(
                preset.title,
                key=f"{key}-preset-{name}",
                help=preset.about,
                on_click=_start_from,
                args=(preset, dataset, key),
            )


def _start_from(preset: Preset, dataset: str, key: str) -> None:
    prefill(RunConfig.from_settings({**preset.settings, "dataset": dataset}), key)


def _applies(about: Setting, values: Mapping[str, Any]) -> bool:
    if about.choices is not None and len(about.choices) == 1:
        return False  # nothing to choose
    if about.only_if is None:
        return True
    other, wanted = about.only_if
    return values.get(other) in wanted


def _number_input(about: Setting, common: Mapping[str, Any]) -> int | float | None:
    low, high = about.bounds or (None, None)
    kind = about.kind
    return st.number_input(
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        value=about.default,
        step=1 if kind is int else about.default / 10 or 0.1,
        format=None if kind is int else "%g",
        required=True,
        **common,
    )
