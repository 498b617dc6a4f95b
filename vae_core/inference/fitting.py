"""Fit the parameters of q(z) to each image of a batch separately, by the reparameterised ELBO.

The fit works for any q: a *family* is a function from parameters, stacked with one row for each
image, to a :class:`~vae_core.model.posteriors.Posterior`. The images share the noise of a step, but
each has its own parameters, step size and decision to stop. So the fit of an image does not depend
on the other images of the batch. The decoder is never changed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.inference.elbo import elbo_terms_at, monte_carlo
from vae_core.model.batches import rows_at_once
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE

Params = Mapping[str, Tensor]  # every tensor (B, ...)
Family = Callable[[Params], Posterior]


@dataclass(frozen=True)
class Schedule:
    """Step sizes and stopping rule of a fit.

    Every ``check_every`` steps of Adam, the ELBO is measured with noise that no step uses; this
    noise is the same at each check. If the ELBO of an image has not risen by ``tolerance`` in
    ``patience`` checks, the image returns to its best parameters and continues with a smaller step
    size. After ``rates`` step sizes it has converged.

    Attributes:
        rate: Adam's first step size.
        decay: factor between two step sizes.
        rates: number of step sizes.
        samples: antithetic draws of z in a step; even.
        check_every: steps between two checks.
        check_samples: draws of z in a check; even.
        patience: number of checks without a rise before the step size changes.
        tolerance: the smallest rise that counts, in nats.
        most_steps: largest number of steps.
    """

    rate: float = 0.005
    decay: float = 0.3
    rates: int = 4
    samples: int = 32
    check_every: int = 20
    check_samples: int = 512
    patience: int = 3
    tolerance: float = 2e-3
    most_steps: int = 3000


@dataclass(frozen=True)
class Fit:
    """State of a fit. A page can draw it, continue the fit or stop it.

    Attributes:
        posterior: the best q so far for each of the B images.
        elbo: ELBO of this q on the noise of the checks, (B,), in nats; it never falls. Because it
            was used to choose q, measure reported values with other noise.
        se: standard error of ``elbo``, (B,).
        steps: number of steps for each image, (B,).
        converged: mask of the images that stopped because their ELBO no longer rose, (B,).
        trace: the ELBO at each check, (checks, B), on the same noise; may fall for a while.
        trace_steps: the step of each check.
        share: share of the largest number of steps, 0 to 1; 1 when all images have stopped.
    """

    posterior: Posterior
    elbo: Tensor
    se: Tensor
    steps: Tensor
    converged: Tensor
    trace: Tensor
    trace_steps: list[int]
    share: float

    @property
    def done(self) -> bool:
        """Whether the fit has ended."""
        return self.share == 1.0


@torch.no_grad()
def fit(
    model: VAE,
    x: Tensor,
    start: Params,
    family: Family,
    schedule: Schedule | None = None,
    seed: int = 0,
) -> Iterator[Fit]:
    """Maximise the ELBO of each image over its own row of the parameters (note §4).

    Args:
        x: images, (B, C, H, W) in [0, 1].
        start: first parameters of each image, tensors (B, ...).
        family: function from such parameters to q.

    Yields:
        The state before the first step and after each check; the last one is ``done``.
    """
    schedule = schedule or Schedule()
    draw = torch.Generator(x.device).manual_seed(2 * seed)
    check_draw = torch.Generator(x.device).manual_seed(2 * seed + 1)
    check = antithetic_noise(schedule.check_samples, model, x, check_draw)

    def measure(params: Params) -> tuple[Tensor, Tensor]:
        return monte_carlo(log_weights(model, x, family(params), check))

    search = _Search(start, *measure(start), schedule)
    adam = _Adam(start)
    params, step = dict(start), 0
    yield search.state(family, step)
    while step < schedule.most_steps and not search.converged.all():
        for _ in range(min(schedule.check_every, schedule.most_steps - step)):
            epsilon = antithetic_noise(schedule.samples, model, x, draw)
            params = adam.step(params, _gradients(model, x, family, params, epsilon), search.rate)
            step += 1
        fell_back = search.record(step, params, *measure(params))
        params = _where(fell_back, search.best, params)
        adam.forget_direction(fell_back)
        yield search.state(family, step)


def check_some(x: Tensor) -> None:
    """Check that there is an image to fit.

    Raises:
        InvalidArgument: otherwise.
    """
    if not len(x):
        raise InvalidArgument("There is no image to fit: give at least one.")


def log_weights(model: VAE, x: Tensor, q: Posterior, epsilon: Tensor) -> Tensor:
    """log w at the draws of q for noise ε (n, B, d): (n, B), in bounded memory."""
    blocks = epsilon.split(max(1, rows_at_once(model) // len(x)))
    return torch.cat([elbo_terms_at(model, x, q, block).joint_form for block in blocks])


def antithetic_noise(n: int, model: VAE, x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw ε and −ε, (n, B, d) for an even n, the same for all images."""
    shape = (n // 2, 1, model.config.latent_size)
    half = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
    return torch.cat([half, -half]).expand(-1, len(x), -1)


def _gradients(
    model: VAE, x: Tensor, family: Family, params: Params, epsilon: Tensor
) -> dict[str, Tensor]:
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        elbo = elbo_terms_at(model, x, family(leaves), epsilon).kl_form.mean(0)
        gradients = torch.autograd.grad(elbo.sum(), list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, gradients, strict=True))


class _Adam:
    """Adam (Kingma & Ba 2015) for maximisation, with a step size for each image."""

    def __init__(self, params: Params, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.betas, self.count = betas, 0
        self.first = {name: torch.zeros_like(value) for name, value in params.items()}
        self.second = {name: torch.zeros_like(value) for name, value in params.items()}

    def step(self, params: Params, gradients: Params, rate: Tensor) -> dict[str, Tensor]:
        """Return the parameters after one step of size ``rate`` (B,)."""
        self.count += 1
        keep, keep_squares = self.betas
        moved = {}
        for name, gradient in gradients.items():
            first, second = self.first[name], self.second[name]
            first.lerp_(gradient, 1 - keep)
            second.lerp_(gradient.square(), 1 - keep_squares)
            scale = (second / (1 - keep_squares**self.count)).sqrt() + 1e-8
            direction = first / (1 - keep**self.count) / scale
            moved[name] = params[name] + _by_image(rate, direction) * direction
        return moved

    def forget_direction(self, which: Tensor) -> None:
        """Reset the momentum of the images in a mask (B,)."""
        for first in self.first.values():
            first.mul_(_by_image(~which, first))


class _Search:
    """Best ELBO and parameters, step size and patience of each image."""

    def __init__(self, start: Params, elbo: Tensor, se: Tensor, schedule: Schedule) -> None:
        self.schedule = schedule
        self.best, self.elbo, self.se = dict(start), elbo, se
        self.rate = torch.full_like(elbo, schedule.rate)
        self.steps = torch.zeros_like(elbo, dtype=torch.long)
        self._to_beat = elbo  # rises are measured from here, so that many small ones add up
        self._stale = torch.zeros_like(self.steps)
        self._rates_left = torch.full_like(self.steps, schedule.rates)
        self._trace, self._trace_steps = [elbo], [0]

    @property
    def converged(self) -> Tensor:
        return self._rates_left == 0

    def record(self, step: int, params: Params, elbo: Tensor, se: Tensor) -> Tensor:
        """Record a check; return a mask of images that return to their best parameters, (B,)."""
        self.steps = torch.where(self.converged, self.steps, step)
        better = elbo > self.elbo  # False for NaN
        self.best = _where(better, params, self.best)
        self.elbo = torch.where(better, elbo, self.elbo)
        self.se = torch.where(better, se, self.se)
        risen = self.elbo > self._to_beat + self.schedule.tolerance
        self._to_beat = torch.where(risen, self.elbo, self._to_beat)
        self._stale = torch.where(risen, 0, self._stale + 1)
        tired = (self._stale >= self.schedule.patience) & ~self.converged
        self._stale = torch.where(tired, 0, self._stale)
        self._rates_left = self._rates_left - tired.long()
        self.rate = torch.where(tired, self.rate * self.schedule.decay, self.rate)
        self.rate = torch.where(self.converged, 0, self.rate)
        self._trace.append(elbo)
        self._trace_steps.append(step)
        return tired

    def state(self, family: Family, step: int) -> Fit:
        done = bool(self.converged.all()) or step >= self.schedule.most_steps
        return Fit(
            posterior=family(self.best),
            elbo=self.elbo,
            se=self.se,
            steps=self.steps,
            converged=self.converged,
            trace=torch.stack(self._trace),
            trace_steps=list(self._trace_steps),
            share=1.0 if done else step / self.schedule.most_steps,
        )


def _by_image(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.ndim - 1))


def _where(which: Tensor, yes: Params, no: Params) -> dict[str, Tensor]:
    return {k: torch.where(_by_image(which, v), yes[k], v) for k, v in no.items()}
