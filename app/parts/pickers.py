"""Widgets that choose a model and an image. They are alike on all pages, and kept in the URL."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext

import streamlit as st

from app.parts import widgets
from app.services import models
from app.services.images import Images
from app.services.models import Choice
from app.shell import carried, errors
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.data_sets import dataset_called, dataset_titles
from vae_core.wording.numbers import typeset

FirstOf = Callable[[Mapping[str, Choice]], Choice | None]
"""Function that chooses the model to open by default, of all models by key."""

_MOST_DIGITS = 20  # of a number in an address


def pick_model(
    key: str = "model",
    first_of: FirstOf = models.first_of,
    *,
    conditional: bool = False,
    notes: DeltaGenerator | None = None,
) -> Choice:
    """Draw a select box of all models. If there is no model, link to Train and end the page.

    Args:
        first_of: chooses the model that the page opens as long as nobody has chosen one.
        conditional: whether the page can show models of p(x|y).
        notes: container for what must be said about a link; by default it stands below the box.
    """
    choices = models.choices(conditional=conditional)
    with _within(notes):
        _leave_out_conditional(key, choices)
    first = first_of(choices)
    if first is None:
        widgets.empty_state(
            "No model yet", "Train one on the digits: it takes a few seconds.", "train", "Train"
        )
        st.stop()
    about = "A model that came with the program, or one of your runs. The whole page follows it."
    return choices[_pick("Model", models.labels(choices), first.key, key, about, notes)]


def _within(notes: DeltaGenerator | None) -> AbstractContextManager[object]:
    return nullcontext() if notes is None else notes


def _leave_out_conditional(key: str, choices: Mapping[str, Choice]) -> None:
    """Say why a model of p(x|y) that a link names is not shown, and forget it."""
    linked = st.query_params.get(key, "")
    if linked not in choices and (other := models.choices(conditional=True).get(linked)):
        del st.query_params[key]
        st.caption(
            f":orange[{errors.plain(other.label)} describes p(x|y), images given their class. This "
            "page needs p(x), so it shows another model; Classify takes this one.]"
        )


def pick_dataset(key: str = "dataset") -> str:
    """Draw a select box of all data sets, and return the name of the chosen one."""
    titles = dataset_titles()
    linked = st.query_params.get(key, "")
    if linked not in titles and (found := dataset_called(linked)):  # by a former name
        st.query_params[key] = found.name
    about = "A data set that came with the program, or one of your own. The whole page follows it."
    return _pick("Data set", titles, next(iter(titles)), key, about)


def _pick(
    label: str,
    shown: Mapping[str, str],
    first: str,
    key: str,
    about: str,
    notes: DeltaGenerator | None = None,
) -> str:
    """Draw a select box whose choice is kept in the URL, and return the chosen name.

    Args:
        shown: different labels by name.
        first: the name that is chosen at first. Another page may choose another one, as long as
            nobody has made a choice and no link names one.
    """
    unknown = _take_from_url(key, shown)
    # Set in every case: otherwise the box would not show what was chosen on another page, and
    # would keep a name that no longer exists.
    current = st.session_state.get(key)
    is_free = key not in st.query_params and current == st.session_state.get(_default(key))
    if current not in shown or is_free:
        current = st.session_state[_default(key)] = first
    st.session_state[key] = current
    chosen = st.selectbox(
        label,
        list(shown),
        format_func=shown.__getitem__,
        key=key,
        persist_state="session",
        on_change=_forget,
        args=(_unknown(key), _default(key)),
        help=about,
    )
    if unknown:
        what, name = label.lower(), errors.plain(unknown)
        with _within(notes):
            st.caption(f":orange[There is no {what} called {name}. This page shows another one.]")
    if st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    st.session_state[_seen(key)] = chosen
    return chosen


def keep_model(key: str = "model") -> None:
    """Keep the model on all pages, as if it was chosen: somebody has chosen one of its images."""
    _forget(_default(key))


def forget_other_data(choice: Choice, key: str = "image") -> None:
    """Forget an image that was chosen on another page for a model of another data set.

    A number in the address is kept.
    """
    name, dataset = f"{key}-of", choice.run.config.dataset
    if key not in st.query_params and st.session_state.get(name, dataset) != dataset:
        _forget(key)
    st.session_state[name] = dataset


def pick_image(images: Images, key: str = "image", *, notes: DeltaGenerator | None = None) -> int:
    """Draw a number input that chooses an image of the test split, or one the model draws.

    Args:
        notes: container for what must be said about a link; by default it stands below the input.
    """
    forget_other_data(images.choice, key)
    count, showcase = images.count, images.choice.run.config.info.showcase
    if st.session_state.get(key, 0) >= count:
        st.session_state[key] = showcase
    if images.split is None:
        about = "Number of the image to look at. The model draws these images itself."
        label = f"Draw, 0 to {count - 1:,}"
        return index_input(label, count, showcase, key, about, keep_model, notes)
    return index_input(
        f"Test image, 0 to {count - 1:,}",
        count,
        showcase,
        key,
        "Number of the image to look at. The model was not trained on these images.",
        keep_model,
        notes,
    )


def index_input(
    label: str,
    count: int,
    first: int,
    key: str,
    help_text: str,
    on_change: Callable[[], None] | None = None,
    notes: DeltaGenerator | None = None,
) -> int:
    """Draw a number input, 0 to ``count`` − 1, whose value is kept in the URL.

    If the URL holds a number outside, choose the nearest one and say so.

    Args:
        first: the number at first.
        on_change: called when somebody chooses another number.
        notes: container for what must be said about a link; by default it stands below the input.
    """
    refused = _refuse_outside(key, count)
    with st.container() if refused else nullcontext():
        index = st.number_input(
            label,
            min_value=0,
            max_value=count - 1,
            value=first,
            key=key,
            bind="query-params",
            persist_state="session",
            on_change=on_change,
            help=help_text,
        )
        if refused:
            with _within(notes):
                st.caption(f":orange[{refused}]")
    carried.keep(key, index)
    return index


def _refuse_outside(key: str, count: int) -> str:
    """Move a number of the URL into 0 to ``count`` − 1; return what to say if it was outside."""
    linked = st.query_params.get(key, "")
    is_number = linked.removeprefix("-").isdecimal() and len(linked) < _MOST_DIGITS
    if not is_number or 0 <= int(linked) < count:
        return ""
    nearest = min(max(int(linked), 0), count - 1)
    st.session_state[key] = nearest
    st.query_params[key] = str(nearest)
    return f"{typeset(int(linked), 'd')} is outside 0 to {count - 1:,}. This is {nearest:,}."


def _take_from_url(key: str, choices: Collection[str]) -> str:
    """Choose what the URL names.

    ``bind="query-params"`` is no use here: it would write labels into the URL, and labels change
    and are not unique.

    Returns:
        The name in the URL if nothing has it, until the user makes a choice; else "".
    """
    linked = st.query_params.get(key)
    if linked and linked != st.session_state.get(_seen(key)):
        if linked in choices:
            st.session_state[key] = linked
            _forget(_unknown(key), _default(key))
        else:
            st.session_state[_unknown(key)] = linked
    return st.session_state.get(_unknown(key), "")


def _forget(*keys: str) -> None:
    """Remove values from the session."""
    for key in keys:
        st.session_state.pop(key, None)


def _default(key: str) -> str:
    """Key of the name that a page chose by default."""
    return f"{key}-default"


def _seen(key: str) -> str:
    return f"{key}-in-url"


def _unknown(key: str) -> str:
    return f"{key}-unknown"
