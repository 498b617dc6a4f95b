"""The families of q(z|x) that can be laid over one true posterior, and their colours."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.services import models
from app.services.models import Choice
from app.shell import errors
from vae_core.runs.checkpoint import ModelFileError
from vae_core.settings.choices import FLOWS, POSTERIORS, PosteriorName
from vae_core.settings.config import explain

_PALETTE = (
    "#7587FE", "#C94807", "#ED48C7", "#C3831B", "#613EFB", "#B812A1", "#0A8468", "#779A65",
    "#8C4DC8", "#AB649A",
)  # fmt: skip
COLOURS: dict[PosteriorName, str] = dict(zip(POSTERIORS, itertools.cycle(_PALETTE), strict=False))
"""Drawn as lines, so with a contrast of at least 3 on the light and on the dark ground. Mean-field,
full and spline are shown first, and differ most."""
_AT_FIRST: tuple[PosteriorName, ...] = ("mean-field", "spline")  # beside the model's own family
_KEY = "families"


def colour_of(family: PosteriorName) -> str:
    """The colour that a family has in every panel."""
    return COLOURS[family]


@dataclass(frozen=True)
class Member:
    """A model whose q(z|x) is looked at; all members of a page share one decoder."""

    choice: Choice

    @property
    def family(self) -> PosteriorName:
        """Its family."""
        return self.choice.run.config.model.posterior

    @property
    def name(self) -> str:
        """What pages call it."""
        return POSTERIORS[self.family].short

    @property
    def title(self) -> str:
        """Its full name."""
        return (explain("posterior").titles or {})[self.family]

    @property
    def colour(self) -> str:
        """The colour of its family."""
        return colour_of(self.family)

    @property
    def is_flow(self) -> bool:
        """Whether it bends a Gaussian, step by step."""
        return self.family in FLOWS


def companions(choice: Choice) -> list[Choice]:
    """The models with the choice's decoder, so with the same true posteriors; one of each family.

    They stand in the order of the families. Of several models of a family the choice itself is
    taken, else the first that lists name and that can be read.
    """
    return _companions(choice)[0]


def _companions(choice: Choice) -> tuple[list[Choice], list[Choice]]:
    """The companions, and those left out because they cannot be read."""
    found: dict[PosteriorName, Choice] = {choice.run.config.model.posterior: choice}
    unreadable = []
    for other in models.companions(choice).values():
        family = other.run.config.model.posterior
        if family in found:
            continue
        if _readable(other):
            found[family] = other
        else:
            unreadable.append(other)
    return [found[family] for family in POSTERIORS if family in found], unreadable


_BY_WEIGHTS: dict[str | type[Any], Any] = {Choice: lambda choice: (choice.key, choice.digest)}


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=_BY_WEIGHTS)
def _readable(choice: Choice) -> bool:
    try:
        models.model(choice)
    except (ModelFileError, OSError):
        return False
    return True


def pick_members(choice: Choice) -> list[Member]:
    """Pills of the families there are for this decoder; the choice alone if none is picked."""
    found, unreadable = _companions(choice)
    members = {Member(each).name: Member(each) for each in found}
    own = Member(choice).name
    if len(members) == 1:
        st.session_state.pop(_KEY, None)
        picked = [own]
    else:
        picked = _pills(members, own)
    if unreadable:
        st.caption(_left_out(unreadable))
    if not picked:
        st.caption(f"No family is chosen: what is shown is {own}, the model's own.")
    return [members[name] for name in members if name in picked] or [members[own]]


def _pills(members: Mapping[str, Member], own: str) -> list[str]:
    """The names that are picked."""
    names = list(members)
    if _KEY in st.session_state:  # another decoder has other companions
        st.session_state[_KEY] = [n for n in st.session_state[_KEY] or [] if n in members]
    wanted = {own, *(POSTERIORS[family].short for family in _AT_FIRST)}
    _colour_pills([members[name].colour for name in names])
    return st.pills(
        "Families of q(z|x) with this decoder",
        names,
        selection_mode="multi",
        default=[name for name in names if name in wanted],
        key=_KEY,
        bind="query-params",
        persist_state="session",
        help="Each family's encoder was trained for one and the same decoder, so all of them aim "
        "at the same true posterior; each keeps its colour in all panels.",
    )


def _left_out(unreadable: Sequence[Choice]) -> str:
    names = (f"{Member(each).name} ({errors.plain(each.run.name)})" for each in unreadable)
    return f"Left out, as the weights cannot be read: {', '.join(names)}."


def _colour_pills(colours: list[str]) -> None:
    """A dot of the family's colour in each pill."""
    rules = "".join(
        f".st-key-{_KEY} button:nth-of-type({i}) p::before {{ background: {colour}; }}"
        for i, colour in enumerate(colours, 1)
    )
    st.html(f"<style>{rules}</style>")
