"""The image of the Posterior lab: from the data, from a file, or drawn by the model."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from app.figures.pictures import Picture, as_picture
from app.parts import pickers, preparation
from app.parts.text import PRIVACY
from app.services import data as data_service
from app.services import models
from app.services.densities import SEED as SEED
from app.services.images import DRAWS, Images
from app.services.models import Choice
from app.services.refits import identity
from app.shell import errors
from app.shell.streamlit_internals import (
    REFUSAL,
    DeltaGenerator,
    take_refusal,
)
from app.views.posterior.given import Given, given
from vae_core.data.decode import ImageError
from vae_core.data.pixels import model_input
from vae_core.data.prepare import Prepared, prepare
from vae_core.model.vae import VAE

SOURCES = ("Test image", "Your file", "Drawn by the model")
WITHOUT_DATA = (
    "Test images are part of the data. Your own file, or an image that the model draws itself, "
    "needs no download: choose one under *Model and image*."
)
_FIRST = 0  # a digit whose true posterior has two modes


@dataclass(frozen=True)
class Subject:
    """One image and one model.

    Attributes:
        choice: the model.
        x: the image as the model sees it, (1, C, H, W) in [0, 1], on the CPU.
        label: name of the image.
        origin: the split of the image, or another source.
        code: Python lines that make ``x`` for ``model``.
        z: latent that the model drew the image from, (d,); None for other images.
        prepared: how the image was made from a file; None for other images.
    """

    choice: Choice
    x: Tensor
    label: str
    origin: str
    code: tuple[str, ...]
    z: NDArray[np.float64] | None = None
    prepared: Prepared | None = None

    @property
    def model(self) -> VAE:
        """Loaded model of the choice."""
        return models.model(self.choice)

    @property
    def d(self) -> int:
        """Number of latent dimensions."""
        return self.choice.run.config.model.latent_size

    @property
    def picture(self) -> Picture:
        """Picture of the image as the model sees it."""
        return as_picture(self.x[0])

    def identity(self) -> tuple[str, str, str]:
        """Cache key: everything that the results on this page depend on."""
        return identity(self.choice, self.x)

    def on(self, choice: Choice) -> "Subject":
        """The same image under another model."""
        return replace(self, choice=choice)


def pick_subject(choice: Choice, notes: DeltaGenerator) -> Subject | None:
    """Draw the choice of the source and of the image, and return the image.

    Returns None for a test image if the data set is missing.

    Args:
        notes: container for what must be said about the choice.
    """
    missing = data_service.missing(choice)
    source = st.segmented_control(
        "Image",
        SOURCES,
        default=SOURCES[2 if missing else 0],
        required=True,
        key="source",
        bind="query-params",
        persist_state="session",
        help="A held-out image, your own image, or one that the model draws itself. Only images "
        "drawn by the model allow bounds on log p(x) from both sides for every d.",
    )
    if source == SOURCES[1]:
        with st.container():
            return _from_file(choice, notes)
    if source == SOURCES[2]:
        return _drawn(choice, notes)
    if missing:
        return None
    pickers.forget_other_data(choice)
    _choose_first_image()
    images = Images(choice, "test")
    return _of(images, pickers.pick_image(images, notes=notes))


def _choose_first_image() -> None:
    """If no image was chosen yet, choose one with an interesting true posterior."""
    if "image" not in st.session_state and "image" not in st.query_params:
        st.session_state["image"] = _FIRST


def _of(images: Images, index: int) -> Subject:
    _, making = images.code(index)
    z = None if images.split else data_service.drawn(images.choice, index)[1].double().numpy()
    x, label = images.x(index), images.label(index)
    return Subject(images.choice, x, label, images.origin, tuple(making), z)


def _drawn(choice: Choice, notes: DeltaGenerator) -> Subject:
    number = pickers.index_input(
        "Number of the draw",
        DRAWS,
        0,
        "draw",
        "Draws z from the prior and x from p(x|z); the same number gives the same image.",
        notes=notes,
    )
    return _of(Images(choice, None), number)


def _from_file(choice: Choice, notes: DeltaGenerator) -> Subject:
    mine = given()
    uploaded = st.file_uploader(
        "Your image",
        key=mine.key,
        on_change=mine.take,
        help=f"Any picture of a single shape. It is converted like the training images. {PRIVACY}",
    )
    mine.see()
    mine.say_lost("image")
    if take_refusal():
        notes.warning(REFUSAL)
    images, index = Images.at_hand(choice), choice.run.config.info.showcase
    instead = "A test image is shown" if images.split else "An image that the model draws is shown"
    if mine.kept is None:
        notes.caption(f"{instead} until you upload one.")
        return _of(images, index)
    if uploaded is None:
        _forget_button(mine, mine.kept.name)
    try:
        return subject_of_file(choice, mine.kept.name, mine.kept.data)
    except ImageError as error:
        notes.error(f"{errors.plain(str(error))} {instead} until you upload another file.")
        return _of(images, index)


def _forget_button(mine: Given, name: str) -> None:
    st.button(
        f"Forget {errors.plain(name)}",
        on_click=mine.forget,
        key="posterior-forget",
        icon=":material/delete:",
        type="tertiary",
        help="Removes your file from memory and shows a test image again.",
    )


def subject_of_file(choice: Choice, name: str, data: bytes) -> Subject:
    """Prepare an image file like the model's training images.

    Raises:
        ImageError: if it cannot be read.
    """
    config = choice.run.config
    shape, binarisation = config.model.image_shape, config.train.binarisation
    prepared: Prepared = prepare(data, name, shape, dataset=config.info)
    x = model_input(prepared.pixels, binarisation, SEED)
    code = (
        f"file = Path({name!r})",
        f'pixels = prepare(file, file.name, model.config.image_shape, dataset="{config.dataset}")',
        f'x = model_input(pixels.pixels, "{binarisation}", seed={SEED})',
    )
    return Subject(choice, x, name, "your file", code, prepared=prepared)


def show_preparation(subject: Subject) -> None:
    """Show how a file became the model's input; draw nothing for other images."""
    if subject.prepared is None:
        return
    if nothing := preparation.missing_ink(subject.prepared):
        st.caption(nothing)
    with st.expander("How the image was prepared", icon=":material/tune:", type="compact"):
        preparation.steps(subject.prepared)
