"""Step sizes of HMC for densities between the prior and the posterior, by a pilot run.

The chains of the pilot run are discarded: chains that tune their own step sizes would not leave the
density invariant. All values are in nats.
"""

from collections.abc import Callable, Generator

import torch
from torch import Tensor
from torch.nn import functional as F

from vae_core.inference.hmc import StepSize, state_at, transition
from vae_core.model.vae import VAE

PILOT_TEMPERATURES = 60
_CHAINS = 4
_TRANSITIONS = 2  # per temperature of the pilot run
_RATE = 0.3
_FIRST_STEP = 0.3


def tempered(model: VAE, x: Tensor, beta: float) -> Callable[[Tensor], Tensor]:
    """Return the function log p(z) + β log p(x|z) of latents (M, B, d)."""
    return lambda z: model.log_prior(z) + beta * model.log_likelihood(x, z)


def tune_steps(
    model: VAE,
    x: Tensor,
    betas: Tensor,
    temperatures: int,
    leapfrog_steps: int,
    generator: torch.Generator,
) -> Generator[None, None, Tensor]:
    """Find step sizes for each temperature and image by a short run from the prior.

    Args:
        x: images, (B, C, H, W).
        betas: the temperatures of the pilot run, rising from 0 to 1.
        temperatures: T, for which step sizes are interpolated.

    Yields:
        Nothing, after each transition.

    Returns:
        The step sizes, (T + 1, B).
    """
    z = model.prior.sample((_CHAINS, len(x)), generator)
    step = StepSize(z.new_full((len(x),), _FIRST_STEP), floor=_RATE)
    found = []
    for beta in betas.tolist():
        density = tempered(model, x, beta)
        state = state_at(density, z)
        for _ in range(_TRANSITIONS):
            state, acceptance = transition(density, state, step.value, leapfrog_steps, generator)
            step.update(acceptance)
            yield
        z = state.z
        found.append(step.value.log())
    by_image = torch.stack(found, 1)[None]  # (1, B, pilot temperatures)
    whole = F.interpolate(by_image, temperatures + 1, mode="linear", align_corners=True)
    return whole[0].T.exp()
