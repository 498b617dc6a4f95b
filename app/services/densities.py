"""log p(x) of one image, exact or estimated, which the pages Posterior and Theory show.

Everything is cached by the model's weights and the pixels of the image.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from app.services import models
from app.services.byte_cache import cached
from app.services.models import Choice
from vae_core.inference.methods import METHODS, infer
from vae_core.inference.proposals import refine
from vae_core.inference.quadrature import PosteriorGrid, posterior_grid
from vae_core.inference.weights import Weights, weight_steps

SEED = 0
LINES = {1: 801, 2: 181}  # grid lines per dimension, by d
ELBO_SAMPLES = 1000
REFERENCE_SAMPLES = 10_000
_CLOSED_FORM = "closed-form"


def _pixels(x: Tensor) -> str:
    return hashlib.sha256(x.numpy().tobytes()).hexdigest()


_BY_CONTENT: dict[str | type[Any], Any] = {Choice: Choice.weights, Tensor: _pixels}


def truth(choice: Choice, x: Tensor) -> PosteriorGrid | None:
    """The true posterior on a grid and log p(x); None for d > 2.

    Args:
        choice: the model.
        x: one image, (1, C, H, W) in [0, 1], on the CPU; as in all functions below.
    """
    return _truth(choice, x) if choice.run.config.model.latent_size <= 2 else None


@cached(max_entries=64, show_spinner="Summing over z", hash_funcs=_BY_CONTENT)
def _truth(choice: Choice, x: Tensor) -> PosteriorGrid:
    model = models.model(choice)
    return posterior_grid(model, x.to(model.device), LINES[model.config.latent_size])


def exact(choice: Choice, x: Tensor) -> tuple[float, float] | None:
    """log p(x) and its error, in nats: by quadrature for d ≤ 2, or in closed form.

    None if neither is possible, or if the quadrature did not reach its tolerance.
    """
    grid = truth(choice, x)
    if grid is not None and grid.reached:
        return grid.log_px, grid.error
    model = models.model(choice)
    if METHODS[_CLOSED_FORM].obstacle(model) is not None:
        return None
    (state,) = infer(_CLOSED_FORM, model, x.to(model.device), draws=2)
    assert state.value is not None
    return state.value, 0.0


def reference(choices: Sequence[Choice], x: Tensor) -> tuple[float, float, bool]:
    """Reference value of log p(x), its error in nats, and whether the value is exact.

    If the exact value is not available, log p(x) is estimated by importance sampling. Of the
    models' q(z|x) and the proposals refined from them, the one whose weights have the largest
    effective sample size is used. The error is NaN if it is not known.

    Args:
        choices: models with one decoder; the first one's exact value is used.
    """
    known = exact(choices[0], x)
    if known is not None:
        return *known, True
    weights = [weighed(choice, x, REFERENCE_SAMPLES) for choice in choices]
    weights += [_refined(choice, x, REFERENCE_SAMPLES) for choice in choices]
    return *max(weights, key=lambda each: each.ess).log_px, False


@cached(max_entries=256, show_spinner="Estimating log p(x)", hash_funcs=_BY_CONTENT)
def weighed(choice: Choice, x: Tensor, samples: int) -> Weights:
    """log w at draws of the model's q(z|x), for few draws that need no progress bar."""
    model = models.model(choice)
    *_, last = weight_steps(model, x.to(model.device), samples, SEED)
    return last


@cached(max_entries=64, show_spinner="Estimating log p(x)", hash_funcs=_BY_CONTENT)
def _refined(choice: Choice, x: Tensor, samples: int) -> Weights:
    model = models.model(choice)
    proposal = refine(model, x.to(model.device), SEED)
    *_, last = weight_steps(model, x.to(model.device), samples, SEED, proposal)
    return last
