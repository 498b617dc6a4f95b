"""Sliders of the Decode tab that make the image more like a class."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.parts import widgets
from app.parts.components.latent_walk import DirectionSlider
from app.services.byte_cache import cached
from app.services.latent import _BY_VIEW, View, cloud
from app.shell import errors
from vae_core.analysis.directions import Direction, class_direction
from vae_core.basics.errors import InvalidArgument

_MOST = 4  # sliders
_MOST_PILLS = 12  # classes; more are in a list
_FURTHER = 2.0  # a slider reaches so much further than the mean of the class, in σ
_TOWARD, _FROM = "toward", "away"
_REST = "all other classes"
_HELP = (
    "A slider moves z by s · σ · v: v is the mean of E[z|x] over the images of the class minus the "
    "mean over the images it is compared with, divided by its length; σ is the standard deviation "
    "of all E[z|x] of the map along v; s is the number on the slider, 0 at the chosen image. The "
    "other parts of z stay (Larsen et al. 2016; White 2016)."
)


def pick(view: View) -> list[DirectionSlider]:
    """Draw the choice of classes, if the images of the map have any; return their sliders."""
    classes = _classes(view)
    if len(classes) < 2:
        return []
    with st.container(key="latent-directions"):
        toward, away = _pick_toward(classes), _pick_from(classes)
    sliders = []
    for name in toward[:_MOST]:
        try:
            found = direction(view, classes[name], classes.get(away))
        except InvalidArgument as error:
            st.caption(f"{name}: {error}")
            continue
        sliders.append(_slider(name, found, away))
    if len(toward) > _MOST:
        st.caption(f"Only the first {_MOST} of the chosen classes have a slider.")
    return sliders


def code(view: View) -> tuple[str, str] | None:
    """Code that moves z towards the first chosen class, for :func:`app.views.latent.code.lines`."""
    classes = _classes(view)
    toward = [name for name in st.session_state.get(_TOWARD) or [] if name in classes]
    if not toward:
        return None
    away = classes.get(st.session_state.get(_FROM, _REST))
    if away == classes[toward[0]]:
        return None
    against = "" if away is None else f", away_from={away}"
    move = (
        f"towards = class_direction(means, labels.numpy(), {classes[toward[0]]}{against})\n"
        "image = latent.decode(model, towards.move(z, 2.0))     # two standard deviations further"
    )
    return "from vae_core.analysis.directions import class_direction", move


def _classes(view: View) -> Mapping[str, int]:
    """Classes that images of the map have, by name."""
    present = sorted({int(label) for label in cloud(view).labels if label >= 0})
    return {errors.plain(view.data_info.class_name(label)): label for label in present}


def _pick_toward(classes: Mapping[str, int]) -> list[str]:
    names = list(classes)
    if _TOWARD in st.session_state:  # another data set has other classes
        kept = st.session_state[_TOWARD] or []
        st.session_state[_TOWARD] = [name for name in kept if name in classes]
    about: dict[str, Any] = {"key": _TOWARD, "help": _HELP, **widgets.IN_URL}
    if len(names) <= _MOST_PILLS:
        return list(st.pills("More like", names, selection_mode="multi", **about))
    return st.multiselect("More like", names, max_selections=_MOST, **about)


def _pick_from(classes: Mapping[str, int]) -> str:
    options = [_REST, *classes]
    if st.session_state.get(_FROM, _REST) not in options:
        st.session_state[_FROM] = _REST
    return st.selectbox(
        "Compared with",
        options,
        key=_FROM,
        **widgets.IN_URL,
        help="The images whose mean is subtracted: those of all other classes, or of one class.",
    )


@cached(max_entries=256, hash_funcs=_BY_VIEW)
def direction(view: View, toward: int, away_from: int | None) -> Direction:
    """Direction from a class, or from all others, to a class, over the images of the map."""
    around = cloud(view)
    return class_direction(around.means, around.labels, toward, away_from)


def _slider(name: str, found: Direction, away: str) -> DirectionSlider:
    compared = "the others" if away == _REST else away
    return DirectionSlider(
        f"more like {name}",
        f"in σ; its mean is {found.apart:.1f} σ from that of {compared}",
        found.step.tolist(),
        round(found.apart + _FURTHER, 2),
    )
