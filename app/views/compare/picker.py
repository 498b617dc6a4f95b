"""The choice of runs: a list with filters, and the chosen ones, which are kept in the address."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import streamlit as st

from app.parts import tables
from app.services import comparing
from app.services.comparing import MOST, Entry
from app.shell import errors

_CHOSEN, _PARAMETER, _SEEN = "compare-runs", "runs", "compare-runs-in-url"
_ROWS = 8  # of the list that are seen without scrolling
_ROW_HEIGHT = 35


def pick() -> list[Entry]:
    """Draw the choice of runs and return the chosen ones, in the order of the choice."""
    found, damaged = comparing.entries()
    unknown = _take_from_url(found)
    st.session_state[_CHOSEN] = _still_there(found)
    chosen = st.multiselect(
        "Runs to compare",
        list(found),
        format_func=lambda key: _label(found, key),
        key=_CHOSEN,
        persist_state="session",
        max_selections=MOST,
        placeholder="Type a name, or choose from the list below",
        help=f"Runs and models that came with the program, at most {MOST}.",
    )
    _say_what_is_missing(unknown, damaged)
    _keep_in_url(chosen)
    with st.expander("List of runs", expanded=not chosen, key="compare-list"):
        _list(found, chosen)
    return [found[key] for key in chosen]


def _label(found: Mapping[str, Entry], key: str) -> str:
    """Name of a run among the options; an option is identified by it, so it has the key too."""
    return f"{found[key].name} · {key}" if key in found else key


def _still_there(found: Mapping[str, Entry]) -> list[str]:
    return [key for key in st.session_state.get(_CHOSEN, ()) if key in found][:MOST]


# ---- the address


def _take_from_url(found: Mapping[str, Entry]) -> list[str]:
    """Choose the runs that a link names; return those that do not exist."""
    linked = st.query_params.get(_PARAMETER, "")
    if not linked or linked == st.session_state.get(_SEEN):
        return []
    keys = list(dict.fromkeys(unquote(key) for key in linked.split(",") if key))
    st.session_state[_CHOSEN] = [key for key in keys if key in found][:MOST]
    return [key for key in keys if key not in found]


def _keep_in_url(chosen: Sequence[str]) -> None:
    text = ",".join(map(_escaped, chosen))
    st.session_state[_SEEN] = text
    if text and st.query_params.get(_PARAMETER) != text:
        st.query_params[_PARAMETER] = text
    elif not text and _PARAMETER in st.query_params:
        del st.query_params[_PARAMETER]


def _say_what_is_missing(unknown: Sequence[str], damaged: Mapping[str, str]) -> None:
    for key in unknown[:5]:
        reason = damaged.get(key, f"There is no run called {key}.")
        st.caption(f":orange[{errors.plain(reason)}]")


# ---- the list


def _list(found: Mapping[str, Entry], chosen: Sequence[str]) -> None:
    shown = _filtered(list(found.values()))
    keys = [each.key for each in shown]
    selected = tables.table(
        {
            "": ["✓" if key in chosen else "" for key in keys],
            "Name": [each.name for each in shown],
            "Data set": [each.dataset for each in shown],
            "q(z|x)": [each.family for each in shown],
            "d": [each.d for each in shown],
            "Epochs": [each.epochs for each in shown],
            "State": [each.state for each in shown],
            "Id": keys,
        },
        hide_index=True,
        height=_ROW_HEIGHT * (min(_ROWS, len(shown)) + 1) + 2,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"compare-rows-{hash(tuple(keys))}",  # a selection is by row, so it is for these rows
    )
    rows = [keys[i] for i in selected["selection"]["rows"] if i < len(keys)]
    with st.container(horizontal=True, key="compare-add"):
        _add_button("Compare the selected runs", rows, "add-selected", "Select rows first.")
        which = f"all {len(keys)}" if len(keys) <= MOST else f"the first {MOST}"
        _add_button(f"Compare {which} of this list", keys, "add-all", "")
        st.button(
            "Remove all", on_click=_set, args=((),), key="compare-clear", disabled=not chosen,
            help="Empties the comparison. No run is deleted.",
        )  # fmt: skip


def _filtered(every: Sequence[Entry]) -> list[Entry]:
    """Draw the filters and return the runs that pass all of them."""
    with st.container(key="compare-filters"):
        _text_from_url()
        text = st.text_input(
            "Text", key="compare-text", placeholder="Part of a name", help="Words in any order."
        )
        _filter_in_url("text", [text] if text else [])
        kept = [each for each in every if each.matches(text)]
        for label, name in (("Data set", "dataset"), ("q(z|x)", "family"), ("State", "state")):
            options = sorted({getattr(each, name) for each in every})
            _filter_from_url(name, options)
            wanted = st.multiselect(
                label, options, key=f"compare-{name}", placeholder="All",
                help="Shows only runs with one of these.",
            )  # fmt: skip
            _filter_in_url(name, wanted)
            kept = [each for each in kept if not wanted or getattr(each, name) in wanted]
    return kept


def _text_from_url() -> None:
    if (linked := _new_in_url("text")) is not None:
        st.session_state["compare-text"] = linked[0] if linked else ""


def _filter_from_url(name: str, options: Sequence[str]) -> None:
    """Take a filter from the address; a value that no run has is left out."""
    if (linked := _new_in_url(name)) is not None:
        st.session_state[f"compare-{name}"] = [each for each in linked if each in options]


def _new_in_url(name: str) -> list[str] | None:
    """Values of a filter in the address; None if they were taken from it already."""
    linked = st.query_params.get(f"filter_{name}")
    if linked is None or linked == st.session_state.get(f"compare-{name}-in-url"):
        return None
    return [unquote(each) for each in linked.split(",") if each]


def _filter_in_url(name: str, wanted: Sequence[str]) -> None:
    """Keep a filter in the address, and nothing where it is empty."""
    text, key = ",".join(map(_escaped, wanted)), f"filter_{name}"
    st.session_state[f"compare-{name}-in-url"] = text
    if text and st.query_params.get(key) != text:
        st.query_params[key] = text
    elif not text and key in st.query_params:
        del st.query_params[key]


def _escaped(text: str) -> str:
    """Write a text so that commas can separate several."""
    return text.replace("%", "%25").replace(",", "%2C")


def _add_button(label: str, keys: Sequence[str], key: str, hint: str) -> None:
    st.button(
        label,
        on_click=_set,
        args=(keys,),
        key=f"compare-{key}",
        disabled=not keys,
        help=hint or f"At most {MOST} runs are compared.",
    )


def _set(keys: Sequence[str]) -> None:
    st.session_state[_CHOSEN] = list(keys)[:MOST]
