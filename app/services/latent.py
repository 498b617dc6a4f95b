"""Posterior means of a data set's images, cached by the model's weights and the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from app.figures.pictures import Picture, as_picture
from app.figures.prior import Prior, PriorOnPlane, prior_on_plane
from app.services import data as data_
from app.services import models, results
from app.services.models import Choice
from vae_core.analysis import latent
from vae_core.analysis.latent import Dimensions, Plane
from vae_core.basics.arrays import Floats
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.records import HeldOut
from vae_core.settings.data_sets import DatasetInfo, Split, find_dataset

MAX_POINTS = 5000
DRAWS = 500  # L and K of the numbers of one image
NEIGHBOURS = 8
SEED = 0
_MOMENT_DRAWS = 32  # of each posterior of the map; only flows need any
_SHOWN_DRAWS = 400


@dataclass(frozen=True)
class View:
    """What the page looks at: the images of a split, through a model."""

    choice: Choice
    split: Split

    @property
    def model(self) -> VAE:
        return models.model(self.choice)

    @property
    def data(self) -> Dataset:
        return data_.dataset(self.choice.run.config.dataset)

    @property
    def data_info(self) -> DatasetInfo:
        """What is known of the data set without loading it."""
        return find_dataset(self.choice.run.config.dataset)

    @property
    def d(self) -> int:
        """How many latent dimensions there are."""
        return self.choice.run.config.model.latent_size

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.data_info.sizes[self.split]

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes."""
        return self.data_info.classes

    @property
    def binarisation(self) -> str:
        """The protocol by which grey pixels became what the model sees."""
        return self.choice.run.config.train.binarisation

    @property
    def pixels(self) -> str:
        """How they enter, in the words of a protocol."""
        return self.choice.run.config.pixels

    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All images of the split as the model sees them (N, C, H, W), and their labels (N,)."""
        run = self.choice.run.config
        return data_.images(run.dataset, self.split, run.train.binarisation, SEED)

    def identity(self) -> tuple[str, str, str]:
        """What decides everything that is cached here."""
        return self.choice.key, self.choice.digest, self.split


_BY_VIEW: dict[str | type[Any], Any] = {View: View.identity}


@dataclass(frozen=True)
class Places:
    """The posterior means of some images.

    Attributes:
        index: which images of the split, (N,).
        labels: their classes, (N,).
        means: E[z|x], (N, d).
        plane: what they are drawn in.
        points: the means in that plane, (N, 2).
    """

    index: NDArray[np.intp]
    labels: NDArray[np.intp]
    means: Floats
    plane: Plane
    points: Floats


@dataclass(frozen=True)
class Cloud(Places):
    """Posterior means, and what each dimension carries over these images."""

    dimensions: Dimensions


def held_out(view: View) -> HeldOut | None:
    """Scores of the first images of the test split, if that is what is looked at."""
    return results.held_out(view.choice) if view.split == "test" else None


def cloud(view: View, scored: bool = False) -> Cloud:
    """At most 5,000 images, spread over the split; or those that have held-out scores."""
    scores = held_out(view) if scored else None
    if scores is None:
        index = np.linspace(0, view.count - 1, min(view.count, MAX_POINTS)).astype(np.intp)
    else:
        index = np.arange(len(scores.log_px))
    return _cloud(view, index)


@st.cache_resource(max_entries=8, show_spinner="Encoding the images", hash_funcs=_BY_VIEW)
def _cloud(view: View, index: NDArray[np.intp]) -> Cloud:
    x, labels = view.images()
    encoded = latent.encode(view.model, x[index], SEED, _MOMENT_DRAWS)
    means = encoded.mean.double().numpy()
    plane = latent.plane_of(means)
    return Cloud(
        index, labels[index].numpy(), means, plane, plane.project(means), latent.dimensions(encoded)
    )


def training_places(choice: Choice) -> Places | None:
    """Where training images lie, as the choice's calibration keeps it: no image is needed."""
    return _training_places(choice, *results.judged_by(choice))


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Choice: Choice.weights})
def _training_places(choice: Choice, *_: int) -> Places | None:
    calibration = results.calibration(choice)
    if calibration is None:
        return None
    known = calibration.latents
    means = (known.points @ known.scale_tril.T + known.centre).double().numpy()
    index = np.linspace(0, len(means) - 1, min(len(means), MAX_POINTS)).astype(np.intp)
    plane = latent.plane_of(means)
    return Places(
        index, known.labels.numpy()[index], means[index], plane, plane.project(means[index])
    )


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Choice: Choice.weights})
def prior(choice: Choice) -> Prior:
    """Mean and standard deviation of each z_i under the prior of the choice's model."""
    with torch.no_grad():
        mean, sd = models.model(choice).prior.moments()
    return Prior(mean.cpu().double().numpy(), sd.cpu().double().numpy())


def prior_in(plane: Plane, choice: Choice) -> PriorOnPlane:
    """The prior of the choice's model on a plane of its latent space."""
    moments = prior(choice)
    return prior_on_plane(moments, plane.project(moments.mean), plane.axes)


def original(view: View, index: int) -> Picture:
    """A picture of an image of the split, with the levels of the data set."""
    images, _ = view.data.split(view.split)
    return as_picture(images[index])
