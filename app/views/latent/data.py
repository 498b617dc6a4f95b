"""Arrays for the Latent space page, cached by the model's weights and the split."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from app.figures.pictures import Picture, as_picture
from app.services.byte_cache import cached
from app.services.latent import (
    _BY_VIEW,
    _MOMENT_DRAWS,
    _SHOWN_DRAWS,
    DRAWS,
    MAX_POINTS,
    NEIGHBOURS,
    SEED,
    View,
    cloud,
    original,
)
from vae_core.analysis import latent
from vae_core.basics.arrays import Floats
from vae_core.inference.elbo import elbo_terms, monte_carlo
from vae_core.inference.importance import log_density
from vae_core.model.vae import VAE


@cached(max_entries=8, show_spinner="Measuring the KL", hash_funcs=_BY_VIEW)
def kl_of_cloud(view: View) -> Floats:
    """KL(q(z|x) ‖ p(z)) of each image of the cloud in nats, (N,)."""
    x, _ = view.images()
    kl = latent.kl_to_prior(view.model, x[cloud(view).index], SEED, _MOMENT_DRAWS)
    return kl.double().numpy()


@cached(max_entries=8, show_spinner="Drawing from the posteriors", hash_funcs=_BY_VIEW)
def aggregate(view: View) -> Floats:
    """About 5,000 draws, the same number from the posterior of each image of the cloud, (n, d)."""
    x, _ = view.images()
    index = cloud(view).index
    return latent.aggregate_draws(view.model, x[index], SEED, max(1, MAX_POINTS // len(index)))


@dataclass(frozen=True)
class Point:
    """One image and its posterior.

    Attributes:
        original: picture of the image, with the levels of the data set.
        seen: picture of the image as the model sees it.
        reconstruction: picture of E[x|z] at the posterior mean.
        mean: the posterior mean, (d,).
        draws: z ~ q(z|x) in the plane of the cloud, (n, 2).
        contours: closed curves in the plane of the cloud, at 1, 2 and 3 σ.
        figures: numbers by name, each with its mean and standard error, in nats.
        neighbours: positions in the cloud of the images with the nearest means.
    """

    index: int
    label: int
    original: Picture
    seen: Picture
    reconstruction: Picture
    mean: Floats
    draws: Floats
    contours: list[Floats]
    figures: dict[str, tuple[float, float]]
    neighbours: NDArray[np.intp]


@cached(max_entries=64, hash_funcs=_BY_VIEW)
def point(view: View, index: int) -> Point:
    """One image of the split, with everything that the page shows about it."""
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
        original=original(view, index),
        seen=as_picture(x[0]),
        reconstruction=as_picture(latent.decode(model, mean)),
        mean=mean,
        draws=draws[:_SHOWN_DRAWS],
        contours=_contours(model, x, draws),
        figures=_figures(model, x),
        neighbours=near[around.index[near] != index][:NEIGHBOURS],
    )


def _contours(model: VAE, x: torch.Tensor, draws: Floats) -> list[Floats]:
    """Contours of the posterior: exact for d = 2; above, of a Gaussian fitted to the draws."""
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
    if len(values) == 1:  # a closed form
        return float(values), 0.0
    mean, se = monte_carlo(values.double())
    return float(mean), float(se)
