"""The importance weights of one image, to look at: log p̂(x), the IWAE bounds, the largest weights.

All estimates come from the same draws of q(z|x), the very ones that
:func:`vae_core.inference.importance.log_density` takes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vae_core.basics.arrays import Floats
from vae_core.basics.seeding import generator_of
from vae_core.inference.elbo import monte_carlo
from vae_core.inference.importance import LogDensity, RunningDensity, sample_terms
from vae_core.model.batches import samples_at_once
from vae_core.model.posteriors import Proposal
from vae_core.model.vae import VAE

_FEWEST_GROUPS = 8  # of which a standard error is made


@dataclass(frozen=True)
class Weights:
    """log w = log p(x, z) − log q(z|x) at draws of q(z|x), the basis of all estimates.

    Attributes:
        log_w: values drawn so far, (n,), float64, in nats.
        most: K, the final number of draws.
        modes: how many modes the proposal found, (1,); None if it did not search.
    """

    log_w: Floats
    most: int
    modes: Tensor | None = None

    @property
    def share(self) -> float:
        """Share of the draws that is done, 0 to 1."""
        return len(self.log_w) / self.most

    @cached_property
    def estimate(self) -> LogDensity:
        """log p̂(x) from all draws, with error, ESS and k̂, the same as from ``log_density``."""
        return _estimate(self.log_w, self.most, self.modes)

    @cached_property
    def elbo(self) -> tuple[float, float]:
        """Mean of log w and its standard error."""
        mean, se = monte_carlo(torch.from_numpy(self.log_w)[:, None])
        return float(mean), float(se)

    @cached_property
    def log_px(self) -> tuple[float, float]:
        """log p̂(x) from all draws and its standard error; NaN if the error is not known."""
        return float(self.estimate.log_px), float(self.estimate.se)

    @property
    def ess(self) -> float:
        """Effective sample size, 1 to n."""
        return float(self.estimate.ess)

    @property
    def pareto_k(self) -> float:
        """Shape of the tail of the weights."""
        return float(self.estimate.pareto_k)

    @cached_property
    def normalised(self) -> Floats:
        """w / Σ w, the largest first, (n,)."""
        weights = np.exp(np.sort(self.log_w)[::-1] - self.log_w.max())
        return weights / weights.sum()

    @cached_property
    def curve(self) -> tuple[Floats, Floats, Floats]:
        """The IWAE bound E log (1/K) Σ_k w_k against K: K, estimate and standard error."""
        return iwae_curve(self.log_w)


def iwae_curve(log_w: Floats) -> tuple[Floats, Floats, Floats]:
    """IWAE bounds (Burda et al. 2016) with K = 1, 2, 4, … samples from log w (n,).

    All n weights are used for each K, in n/K groups; the error is the standard error of the mean
    over groups. With fewer than 8 groups, it is the error of log p̂(x) from all weights; NaN if
    that is not known.

    Returns:
        K, the bounds and their standard errors, float64, in nats; the last K is n.
    """
    n = len(log_w)
    counts = [2**i for i in range(int(math.log2(n)) + 1)]
    counts += [n] if counts[-1] != n else []
    of_all = float(_estimate(log_w, n).se)
    bounds, errors = [], []
    for count in counts:
        groups = log_w[: n // count * count].reshape(-1, count)
        top = groups.max(1, keepdims=True)
        values = (top + np.log(np.exp(groups - top).mean(1, keepdims=True)))[:, 0]
        bounds.append(values.mean())
        if len(values) >= _FEWEST_GROUPS:
            errors.append(values.std(ddof=1) / math.sqrt(len(values)))
        else:
            errors.append(of_all)
    return np.array(counts, dtype=float), np.array(bounds), np.array(errors)


def _estimate(log_w: Floats, most: int, modes: Tensor | None = None) -> LogDensity:
    """Estimate log p(x) of one image from its log weights (n,), the first of ``most``."""
    running = RunningDensity(most, modes)
    column = torch.from_numpy(log_w)[:, None]
    running.add(column, torch.zeros_like(column), torch.zeros_like(column))
    return running.estimate()


@torch.no_grad()
def weight_steps(
    model: VAE, x: Tensor, most: int, seed: int, proposal: Proposal | None = None
) -> Iterator[Weights]:
    """Yield log w at K = ``most`` draws, the same draws as in ``log_density`` with that seed.

    Args:
        x: one image, (1, C, H, W) in [0, 1].
        proposal: the distribution of the draws; the encoder's q(z|x) if None.
    """
    x = model.as_images(x)
    q, generators = proposal or model.posterior(x), [generator_of(x[0], seed, model.device)]
    log_w = np.empty(most)
    done, block = 0, samples_at_once(model)
    while done < most:
        count = min(block, most - done)
        terms = sample_terms(model, x, q, count, generators)
        log_w[done : done + count] = terms.joint_form[:, 0].cpu().double().numpy()
        done += count
        yield Weights(log_w[:done].copy(), most, q.found_modes)
