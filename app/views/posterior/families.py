"""The families of q(z|x) that share one decoder, and so one true posterior; their colours."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.parts import forms
from app.services import models
from app.services.byte_cache import cached
from app.services.models import Choice
from app.shell import errors, navigation
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.runs.checkpoint import ModelFileError
from vae_core.settings.choices import FLOWS, POSTERIORS, PosteriorName
from vae_core.settings.config import explain

_PALETTE = (
    "#7587FE", "#C94807", "#ED48C7", "#C3831B", "#613EFB", "#B812A1", "#0A8468", "#779A65",
    "#8C4DC8", "#AB649A",
)  # fmt: skip
COLOURS: dict[PosteriorName, str] = dict(zip(POSTERIORS, itertools.cycle(_PALETTE), strict=False))
"""Line colours with a contrast of at least 3 on the light and on the dark background. Mean-field,
full and spline, which are shown first, differ most."""
_AT_FIRST: tuple[PosteriorName, ...] = ("mean-field", "spline")  # beside the model's own family
_KEY = "families"


def colour_of(family: PosteriorName) -> str:
    """Colour of a family, the same in every panel."""
    return COLOURS[family]


@dataclass(frozen=True)
class Member:
    """A model whose q(z|x) is shown. All members on the page share one decoder."""

    choice: Choice

    @property
    def family(self) -> PosteriorName:
        """Family of the posterior."""
        return self.choice.run.config.model.posterior

    @property
    def name(self) -> str:
        """Short name of the family."""
        return POSTERIORS[self.family].short

    @property
    def title(self) -> str:
        """Full name of the family."""
        return (explain("posterior").titles or {})[self.family]

    @property
    def colour(self) -> str:
        """Colour of the family."""
        return colour_of(self.family)

    @property
    def is_flow(self) -> bool:
        """Whether the family is a flow, which transforms a Gaussian step by step."""
        return self.family in FLOWS

    def contains(self, other: "Member") -> bool:
        """Whether this family has every q of another family, because its steps can do nothing."""
        if other.family == "full":
            return self.is_flow and self.choice.run.config.model.flow_base == "full"
        return other.family == "mean-field" != self.family


def companions(choice: Choice) -> list[Choice]:
    """Models with the same decoder as the choice, so with the same true posteriors; one per family.

    Sorted in the order of the families. If a family has several models, the choice itself is used,
    or else the first readable model in the list.
    """
    return _companions(choice)[0]


def _companions(choice: Choice) -> tuple[list[Choice], list[Choice]]:
    """The companions, and the models left out because they cannot be read."""
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


@cached(max_entries=256, hash_funcs=_BY_WEIGHTS)
def _readable(choice: Choice) -> bool:
    try:
        models.model(choice)
    except (ModelFileError, OSError):
        return False
    return True


def named(members: Sequence[Member]) -> str:
    """Names of the families, for a line of text."""
    return ", ".join(member.name for member in members)


def pick_members(choice: Choice, notes: DeltaGenerator) -> list[Member]:
    """Draw pills for the families with this decoder. If none is picked, use the choice alone.

    Args:
        notes: container for what must be said about the choice.
    """
    found, unreadable = _companions(choice)
    members = {Member(each).name: Member(each) for each in found}
    own = Member(choice).name
    if len(members) == 1:
        st.session_state.pop(_KEY, None)
        picked = [own]
    else:
        picked = _pills(members, own)
    _offer_another(choice, notes if len(members) == 1 else st.container())
    if unreadable:
        notes.caption(_left_out(unreadable))
    if not picked:
        notes.caption(f"No family is chosen, so the page shows the model's own family, {own}.")
    return [members[name] for name in members if name in picked] or [members[own]]


def _pills(members: Mapping[str, Member], own: str) -> list[str]:
    """Draw the pills and return the picked names."""
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
        help="All these encoders were trained for the same decoder, so they approximate the same "
        "true posterior. Each family has the same colour in all panels.",
    )


def _offer_another(choice: Choice, place: DeltaGenerator) -> None:
    """Say what another family needs, and offer to train it for this decoder."""
    with place.container(key="posterior-another", horizontal=True, vertical_alignment="center"):
        st.caption(
            "Only families that were trained for this model's decoder can be compared, because "
            "another decoder has another true posterior.",
            width="content",
        )
        if st.button(
            "Train another family for it",
            key="posterior-train",
            icon=":material/model_training:",
            help="Opens Train with these settings, another family, and *Keep the decoder of* this "
            "model. Then press Start there.",
        ):
            forms.prefill(choice.run.config, **_another(choice))
            navigation.go("train")


def _another(choice: Choice) -> dict[str, str]:
    """Settings of a run with another family for the decoder of the choice."""
    config = choice.run.config
    return {
        "posterior": "planar" if config.model.posterior == "full" else "full",
        "decoder_of": config.decoder_of or choice.key,
        "start_from": "",
        "title": "",
    }


def _left_out(unreadable: Sequence[Choice]) -> str:
    names = (f"{Member(each).name} ({errors.plain(each.run.name)})" for each in unreadable)
    return f"Left out because the weights cannot be read: {', '.join(names)}."


def _colour_pills(colours: list[str]) -> None:
    """Put a dot in the family's colour in each pill."""
    rules = "".join(
        f".st-key-{_KEY} button:nth-of-type({i}) p::before {{ background: {colour}; }}"
        for i, colour in enumerate(colours, 1)
    )
    st.html(f"<style>{rules}</style>")
