"""Controls of the Gradient lab: the model, the images, the estimators and the amount of work."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app.figures.gradients import LOOKS
from app.figures.pictures import as_picture, tile
from app.parts import charts, missing_data, pickers, widgets
from app.parts.glossary import see
from app.parts.widgets import IN_URL
from app.services import data
from app.services.gradient_table import ESTIMATORS, Protocol, refusal
from app.services.images import Images
from app.services.models import Choice
from app.shell import errors
from vae_core.settings.choices import GradientName
from vae_core.settings.config import explain
from vae_core.settings.data_sets import Split

if TYPE_CHECKING:
    from torch import Tensor

SPLITS: tuple[Split, ...] = ("test", "validation", "train")
INSIDE = (1, 2, 5, 10, 20, 50)
LARGEST = (8, 32, 128, 512)
REPEATS = (30, 100, 300, 1000)
MOST_IMAGES = 256
WITHOUT_DATA = (
    "Without the data, gradients are measured on images that the model draws itself. With the "
    "data, they are measured on training, validation or test images."
)
_TITLES = explain("gradient").titles
_HELP = {
    "pathwise": "z = μ + Cε moves with μ and C, so the derivative of log p(x,z) − log q(z|x) is "
    "taken through z. Training uses this estimator by default.",
    "sticking-the-landing": "The pathwise gradient without one part whose mean is zero. Its noise "
    "vanishes where q(z|x) is the true posterior.",
    "dreg": "For the bound with K samples inside the logarithm. It is reparameterised twice, so "
    "that the gradient does not get weaker as K grows.",
    "score-function": "Draws z, measures how good each draw is, and makes good draws more "
    "probable. It needs no derivative of log p(x|z), but it is noisier.",
    "score-function-baseline": "The score function, but each sample is compared with the mean of "
    "the others instead of with zero. It needs L of at least 2.",
}


@dataclass(frozen=True)
class MeasurementRequest:
    """A measurement that the user requests.

    Attributes:
        images: the images to choose from; ``protocol`` says which of them are used.
        largest: the largest L.
        gradients: the estimators that are shown.
    """

    choice: Choice
    images: Images
    protocol: Protocol
    largest: int
    gradients: tuple[GradientName, ...]

    def x(self) -> "Tensor":
        """The images as the model sees them, (B, C, H, W)."""
        return self.images.x(self.protocol.first, self.protocol.count)


def read_request() -> MeasurementRequest:
    """Draw the controls at the top of the page and return the choices."""
    with st.container(key="gradient-choice"):
        choice = pickers.pick_model()
        inside = st.select_slider(
            "Samples inside the logarithm, K",
            INSIDE,
            value=1,
            key="gradient-k",
            help="K = 1 is the ELBO. A larger K gives the tighter IWAE bound, which only the "
            "pathwise and the DReG gradient can estimate." + see("K", "elbo"),
            **IN_URL,
        )
        largest = st.select_slider(
            "Largest number of samples L",
            LARGEST,
            value=32,
            key="gradient-upto",
            help="The largest L in the charts. An estimate averages over L draws of z per image."
            + see("L"),
            **IN_URL,
        )
        with widgets.more("Images and effort", "gradient-effort"):
            images, first, count = _images(choice)
            repeats = st.select_slider(
                "Estimates per point, R",
                REPEATS,
                value=100,
                key="gradient-r",
                help="How often each gradient is estimated to measure its noise. A larger R makes "
                "the error bars shorter but takes longer.",
                **IN_URL,
            )
            _show_images(images, first, count)
    if images.split is None:
        missing_data.panel(choice, WITHOUT_DATA)
    protocol = Protocol(choice.weights(), images.origin, first, count, inside, repeats)
    return MeasurementRequest(choice, images, protocol, largest, _estimators(inside))


def _images(choice: Choice) -> tuple[Images, int, int]:
    """Choose the images for which the gradient is computed: (images, first, count)."""
    images = Images(choice, None if data.missing(choice) else _split())
    size = images.count
    _reset_if_outside("gradient-first", 0, size - 1)
    first = st.number_input(
        f"First image, 0 to {size - 1:,}", 0, size - 1, 0, key="gradient-first",
        help="The number of the first image of the batch whose gradient is measured.", **IN_URL,
    )  # fmt: skip
    count = st.number_input(
        "Number of images", 1, MOST_IMAGES, 16, key="gradient-count",
        help="How many images the gradient is averaged over, like a batch in training.", **IN_URL,
    )  # fmt: skip
    return images, int(first), int(min(count, size - first))


def _split() -> Split:
    return st.selectbox(
        "Images",
        SPLITS,
        key="split",
        help="Part of the data that the images come from. Test images were never trained on.",
        **IN_URL,
    )


def _reset_if_outside(key: str, low: int, high: int) -> None:
    """Reset a widget whose value is out of range, for example after a change of data set."""
    if not low <= (st.session_state.get(key) or low) <= high:
        st.session_state[key] = low


def _show_images(images: Images, first: int, count: int) -> None:
    shown = as_picture(images.x(first, min(count, 32)))
    more = f", the first {len(shown)} of {count}" if len(shown) < count else ""
    charts.image(tile(shown, 8), f"What the model sees{more}", 220)


def _estimators(inside: int) -> tuple[GradientName, ...]:
    """Draw a checkbox for each estimator. Those that cannot be used are grey, with the reason."""
    shown: list[GradientName] = []
    refused: dict[str, list[str]] = {}
    with st.container(key="gradient-estimators", horizontal=True, gap="medium"):
        for gradient in ESTIMATORS:
            why = refusal(gradient, 2, inside)
            with st.container(key=f"gradient-look-{gradient}", width="content"):
                if why:
                    title = _TITLES[gradient]
                    st.checkbox(title, disabled=True, key=f"gradient-no-{gradient}", help=why)
                    refused.setdefault(why, []).append(LOOKS[gradient].label)
                elif _ticked(gradient):
                    shown.append(gradient)
    with st.container(key="gradient-refused", gap="xxsmall"):
        for why, names in refused.items():
            st.caption(f":material/block: {_capital(', '.join(names))}: {errors.plain(why)}")
    return tuple(shown)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ticked(gradient: GradientName) -> bool:
    return st.checkbox(
        _TITLES[gradient], value=True, key=gradient, help=errors.plain(_HELP[gradient]), **IN_URL
    )


def show_colours() -> None:
    """Put a dot in the estimator's colour before each name."""
    rules = "\n".join(
        f".st-key-gradient-look-{name} label p::before {{ background: {style.colour}; }}"
        for name, style in LOOKS.items()
    )
    st.html(f"<style>{rules}</style>")
