"""The figures of single images in a region of the map, measured image by image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from app.services import latent
from app.services.latent import SEED, View
from app.services.work import Task
from vae_core.basics.arrays import Floats
from vae_core.inference.elbo import elbo_terms
from vae_core.model.vae import VAE
from vae_core.wording.numbers import number

DRAWS = 100
_IMAGES_OF_A_STATE = 10


@dataclass(frozen=True)
class Measured:
    """Figures in nats of some images, each (n,), by their numbers, and the share that is done."""

    numbers: NDArray[np.intp]
    elbo: Floats
    kl: Floats
    share: float


def task(view: View, numbers: NDArray[np.intp]) -> Task[Measured]:
    """Measure ELBO and KL of these images of the split, (N,)."""
    x = view.images()[0][numbers]
    model = view.model
    return Task(
        ("region figures", *view.identity(), numbers.tobytes()),
        f"ELBO and KL of {len(numbers)} image{'s' * (len(numbers) != 1)}",
        lambda: measure(model, x, numbers),
        lambda state: state.share,
    )


def measure(model: VAE, x: torch.Tensor, numbers: NDArray[np.intp]) -> Iterator[Measured]:
    """Measure ELBO and KL of images x (N, C, H, W) with these numbers, (N,), one after another.

    Each image gets the same noise, so its figures do not depend on the others.
    """
    found: list[tuple[float, float]] = []
    for done, image in enumerate(x.split(1), 1):
        generator = torch.Generator(model.device).manual_seed(SEED)
        with torch.no_grad():
            terms = elbo_terms(model, image.to(model.device), DRAWS, generator)
        found.append((float(terms.kl_form.double().mean()), float(terms.kl.double().mean())))
        if done % _IMAGES_OF_A_STATE == 0 or done == len(x):
            elbo, kl = np.array(found).T
            yield Measured(numbers[:done], elbo, kl, done / len(x))


def columns(view: View, numbers: NDArray[np.intp], measured: Measured | None) -> dict[str, Floats]:
    """Figures of images by name, (N,) each, in nats; NaN where they are not known."""
    known = {name: np.full(len(numbers), np.nan) for name in ("log p(x)", "ELBO", "KL")}
    scores = latent.held_out(view)
    if scores is not None:
        here = numbers < len(scores.log_px)
        known["log p(x)"][here] = scores.log_px.double().numpy()[numbers[here]]
    if measured is not None:
        places = {int(number): place for place, number in enumerate(measured.numbers)}
        here = [i for i, number in enumerate(numbers) if int(number) in places]
        there = [places[int(numbers[i])] for i in here]
        known["ELBO"][here], known["KL"][here] = measured.elbo[there], measured.kl[there]
    return {f"{name} (nats)": values for name, values in known.items()}


def texts(view: View, numbers: NDArray[np.intp], measured: Measured | None) -> dict[int, str]:
    """The known figures of each image, by its number, as the end of a sentence."""
    named = columns(view, numbers, measured)
    return {
        int(i): "".join(
            f", {name.removesuffix(' (nats)')} {number(values[place])}"
            for name, values in named.items()
            if not np.isnan(values[place])
        )
        for place, i in enumerate(numbers)
    }
