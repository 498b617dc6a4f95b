"""The families of q(z|x) that can be laid over one true posterior, and their colours."""

from dataclasses import dataclass

import streamlit as st

from app import services
from app.figures import style
from app.services import Choice
from vae_core.config import FLOWS, POSTERIORS, PosteriorName, explain

SHORT: dict[PosteriorName, str] = {
    "mean-field": "Mean-field",
    "full": "Full covariance",
    "planar": "Planar",
    "radial": "Radial",
    "iaf": "IAF",
    "affine-coupling": "RealNVP",
    "spline": "Spline",
    "sylvester-orthogonal": "Sylvester, orthogonal",
    "sylvester-householder": "Sylvester, Householder",
    "sylvester-triangular": "Sylvester, triangular",
}
_BY_COLOUR: tuple[PosteriorName, ...] = (  # the first three are shown first, and differ most
    "mean-field",
    "full",
    "spline",
    *(name for name in POSTERIORS if name not in ("mean-field", "full", "spline")),
)
_COLOURS = dict(zip(_BY_COLOUR, style.CLASSES, strict=True))
_AT_FIRST: tuple[PosteriorName, ...] = ("mean-field", "spline")  # beside the model's own family
_KEY = "families"


def colour_of(family: PosteriorName) -> str:
    """The colour that a family has in every panel."""
    return _COLOURS[family]


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
        return SHORT[self.family]

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
    taken, else the first that lists name.
    """
    found: dict[PosteriorName, Choice] = {choice.run.config.model.posterior: choice}
    for other in services.companions(choice).values():
        found.setdefault(other.run.config.model.posterior, other)
    return [found[family] for family in POSTERIORS if family in found]


def pick_members(choice: Choice) -> list[Member]:
    """Pills of the families there are for this decoder; the choice alone if none is picked."""
    members = {Member(each).name: Member(each) for each in companions(choice)}
    own = Member(choice).name
    if len(members) == 1:
        st.session_state.pop(_KEY, None)
        return [members[own]]
    names = list(members)
    if _KEY in st.session_state:  # another decoder has other companions
        st.session_state[_KEY] = [n for n in st.session_state[_KEY] or [] if n in members]
    wanted = {own, *(SHORT[family] for family in _AT_FIRST)}
    _colour_pills([members[name].colour for name in names])
    picked = st.pills(
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
    return [members[name] for name in names if name in picked] or [members[own]]


def _colour_pills(colours: list[str]) -> None:
    """A dot of the family's colour in each pill."""
    rules = "".join(
        f".st-key-{_KEY} button:nth-of-type({i}) p::before {{ background: {colour}; }}"
        for i, colour in enumerate(colours, 1)
    )
    st.html(f"<style>{rules}</style>")
