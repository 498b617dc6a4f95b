"""What the Latent space page shows, as arrays, cached by the model's weights and the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from app import services
from app.services import Choice
from vae_core import latent
from vae_core.catalogue import DATASETS, DatasetInfo
from vae_core.config import Split
from vae_core.datasets import Dataset
from vae_core.estimators import log_density
from vae_core.latent import Dimensions, Floats, Plane
from vae_core.objectives import elbo_terms, monte_carlo
from vae_core.scoring import HeldOut
from vae_core.vae import VAE

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
        return services.model(self.choice)

    @property
    def data(self) -> Dataset:
        return services.dataset(self.choice.run.config.dataset)

    @property
    def data_info(self) -> DatasetInfo:
        """What is known of the data set without loading it."""
        return DATASETS[self.choice.run.config.dataset]

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
        return services.images(run.dataset, self.split, run.train.binarisation, SEED)

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
    return services.held_out(view.choice) if view.split == "test" else None


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
    return _training_places(choice, *services.judged_by(choice))


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Choice: Choice.weights})
def _training_places(choice: Choice, *_: int) -> Places | None:
    calibration = services.calibration(choice)
    if calibration is None:
        return None
    known = calibration.latents
    means = (known.points @ known.scale_tril.T + known.centre).double().numpy()
    index = np.linspace(0, len(means) - 1, min(len(means), MAX_POINTS)).astype(np.intp)
    plane = latent.plane_of(means)
    return Places(
        index, known.labels.numpy()[index], means[index], plane, plane.project(means[index])
    )


@st.cache_resource(max_entries=8, show_spinner="Measuring the KL", hash_funcs=_BY_VIEW)
def kl_of_cloud(view: View) -> Floats:
    """KL(q(z|x) ‖ p(z)) of each image of the cloud in nats, (N,)."""
    x, _ = view.images()
    kl = latent.kl_to_prior(view.model, x[cloud(view).index], SEED, _MOMENT_DRAWS)
    return kl.double().numpy()


@st.cache_resource(max_entries=8, show_spinner="Drawing from the posteriors", hash_funcs=_BY_VIEW)
def aggregate(view: View) -> Floats:
    """About 5,000 draws, as many from the posterior of each image of the cloud, (n, d)."""
    x, _ = view.images()
    index = cloud(view).index
    return latent.aggregate_draws(view.model, x[index], SEED, max(1, MAX_POINTS // len(index)))


@dataclass(frozen=True)
class Point:
    """One image and its posterior.

    Attributes:
        original: its grey levels in [0, 1], (H, W).
        seen: what the model sees of it, (H, W).
        reconstruction: E[x|z] at the posterior's mean, (H, W).
        mean: that mean, (d,).
        draws: z ~ q(z|x) in the plane of the cloud, (n, 2).
        contours: closed curves in that plane, at 1, 2 and 3 σ.
        figures: what, mean and standard error of its numbers, in nats.
        neighbours: which images of the cloud have the nearest means, by their place in it.
    """

    index: int
    label: int
    original: NDArray[np.float32]
    seen: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    mean: Floats
    draws: Floats
    contours: list[Floats]
    figures: dict[str, tuple[float, float]]
    neighbours: NDArray[np.intp]


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_VIEW)
def point(view: View, index: int) -> Point:
    """An image of the split, with all that the page says of it."""
    model, around = view.model, cloud(view)
    images, labels = view.images()
    x = images[index : index + 1]
    mean = latent.encode(model, x, SEED, DRAWS).mean[0].double().numpy()
    z = latent.posterior_path(model, x, DRAWS, SEED).z[:, 0].double().cpu().numpy()
    draws = around.plane.project(z)
    near = latent.nearest(around.means, mean, NEIGHBOURS + 1)
    return Point(
        index=index,
        label=int(labels[index]),
        original=grey(view, index),
        seen=picture(x[0].numpy()),
        reconstruction=picture(latent.decode(model, mean)),
        mean=mean,
        draws=draws[:_SHOWN_DRAWS],
        contours=_contours(model, x, draws),
        figures=_figures(model, x),
        neighbours=near[around.index[near] != index][:NEIGHBOURS],
    )


def grey(view: View, index: int) -> NDArray[np.float32]:
    """An image of the split with its grey levels, in [0, 1], (H, W)."""
    images, _ = view.data.split(view.split)
    return picture(images[index].float().numpy() / 255)


def picture(image: NDArray[Any]) -> NDArray[np.float32]:
    """Images (…, C, H, W) as they are drawn, (…, H, W)."""
    return image.mean(-3, dtype=np.float32)


def _contours(model: VAE, x: torch.Tensor, draws: Floats) -> list[Floats]:
    """Exact for d = 2; above, those of the Gaussian with the moments of the draws."""
    d = model.config.latent_size
    if d == 1:
        return []
    if d == 2:
        return latent.posterior_contours(model, x)
    return [latent.ellipse(draws, radius) for radius in (1, 2, 3)]


def _figures(model: VAE, x: torch.Tensor) -> dict[str, tuple[float, float]]:
    generator = torch.Generator(model.device).manual_seed(SEED)
    with torch.no_grad():
        x = x.to(model.device)
        terms = elbo_terms(model, x, DRAWS, generator)
        density = log_density(model, x, DRAWS, SEED)
    named = {"log p(x|z)": terms.log_px_z, "KL": terms.kl, "ELBO": terms.kl_form}
    figures = {name: _mean_and_se(values) for name, values in named.items()}
    return figures | {"log p(x)": (float(density.log_px), float(density.se))}


def _mean_and_se(values: torch.Tensor) -> tuple[float, float]:
    mean, se = monte_carlo(values.double())
    return float(mean), float(se)
