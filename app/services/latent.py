"""Posterior means of a data set's images, cached by the model's weights and the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from app.figures.pictures import Picture, as_picture
from app.figures.prior import Prior, PriorOnPlane, prior_on_plane
from app.services import data as data_service
from app.services import models, results
from app.services.byte_cache import cached
from app.services.models import Choice
from vae_core.analysis import latent
from vae_core.analysis.latent import Dimensions, Plane
from vae_core.basics.arrays import Floats
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import PackedImages
from vae_core.model.vae import VAE
from vae_core.runs.kept_latents import latents_of
from vae_core.runs.records import HeldOut
from vae_core.settings.data_sets import DatasetInfo, Split

MAX_POINTS = 5000
DRAWS = 500  # L and K of the figures of one image
NEIGHBOURS = 8
SEED = 0
_MOMENT_DRAWS = 32  # from each posterior of the map; needed for flows only
_SHOWN_DRAWS = 400


@dataclass(frozen=True)
class View:
    """A model and a split of its data set, as the Latent space page shows them."""

    choice: Choice
    split: Split

    @property
    def model(self) -> VAE:
        return models.model(self.choice)

    @property
    def data(self) -> Dataset:
        return data_service.dataset(self.choice.run.config.dataset)

    @property
    def data_info(self) -> DatasetInfo:
        """Description of the data set, which is not loaded for it."""
        return self.choice.run.config.info

    @property
    def d(self) -> int:
        """Number of latent dimensions."""
        return self.choice.run.config.model.latent_size

    @property
    def count(self) -> int:
        """Number of images in the split."""
        return self.data_info.sizes[self.split]

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes."""
        return self.data_info.classes

    @property
    def binarisation(self) -> str:
        """How grey pixels were binarised for the model."""
        return self.choice.run.config.train.binarisation

    @property
    def pixels(self) -> str:
        """How pixels were made for the model, in the words of a protocol."""
        return self.choice.run.config.pixels

    def images(self) -> tuple[PackedImages, torch.Tensor]:
        """Load all images of the split as the model sees them, and labels (N,)."""
        run = self.choice.run.config
        return data_service.images(run.dataset, self.split, run.train.binarisation, SEED)

    def identity(self) -> tuple[str, str, str]:
        """Return a key for caches: equal keys mean equal results."""
        return self.choice.key, self.choice.digest, self.split


_BY_VIEW: dict[str | type[Any], Any] = {View: View.identity}


@dataclass(frozen=True)
class Places:
    """The posterior means of some images.

    Attributes:
        index: which images of the split, (N,).
        labels: their classes, (N,).
        means: E[z|x], (N, d).
        plane: the plane of the map.
        points: the means on that plane, (N, 2).
    """

    index: NDArray[np.intp]
    labels: NDArray[np.intp]
    means: Floats
    plane: Plane
    points: Floats


@dataclass(frozen=True)
class Cloud(Places):
    """Posterior means, with the KL and the spread of each latent dimension over these images."""

    dimensions: Dimensions


def held_out(view: View) -> HeldOut | None:
    """Return the kept scores of the first test images; None for another split."""
    return results.held_out(view.choice) if view.split == "test" else None


def cloud(view: View, scored: bool = False) -> Cloud:
    """Return posterior means of at most 5,000 images, spread evenly over the split.

    Args:
        scored: take the images that have held-out scores instead, if scores were kept.
    """
    scores = held_out(view) if scored else None
    if scores is None:
        index = np.linspace(0, view.count - 1, min(view.count, MAX_POINTS)).astype(np.intp)
    else:
        index = np.arange(len(scores.log_px))
    return _cloud(view, index)


@cached(max_entries=8, show_spinner="Encoding the images", hash_funcs=_BY_VIEW)
def _cloud(view: View, index: NDArray[np.intp]) -> Cloud:
    kept = latents_of(view.choice.run) if view.split == "test" else None
    if kept is not None and index.max(initial=0) < len(kept.mean):
        means, plane = kept.mean[index], latent.plane_of(kept.mean[index])
        labels = kept.labels[index]
        return Cloud(index, labels, means, plane, plane.project(means), kept.dimensions)
    x, labels = view.images()
    encoded = latent.encode(view.model, x[index], SEED, _MOMENT_DRAWS)
    means = encoded.mean.double().numpy()
    plane = latent.plane_of(means)
    return Cloud(
        index, labels[index].numpy(), means, plane, plane.project(means), latent.dimensions(encoded)
    )


def training_places(choice: Choice) -> Places | None:
    """Return posterior means of training images, which the calibration keeps without images."""
    return _training_places(choice, *results.judged_by(choice))


@cached(max_entries=8, hash_funcs={Choice: Choice.weights})
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


@cached(max_entries=16, hash_funcs={Choice: Choice.weights})
def prior_moments(choice: Choice) -> Prior:
    """Mean and standard deviation of each z_i under the prior of the choice's model."""
    with torch.no_grad():
        mean, sd = models.model(choice).prior.moments()
    return Prior(mean.cpu().double().numpy(), sd.cpu().double().numpy())


def prior_on_map(plane: Plane, choice: Choice) -> PriorOnPlane:
    """The prior of the choice's model on a plane of its latent space."""
    moments = prior_moments(choice)
    return prior_on_plane(moments, plane.project(moments.mean), plane.axes)


def original(view: View, index: int) -> Picture:
    """Return a picture of an image of the split, with the data set's grey levels."""
    images, _ = view.data.split(view.split)
    return as_picture(images[index])
