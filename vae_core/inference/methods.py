"""The table of inference methods for one image and one trained decoder.

Each method is an iterator of states. A page can draw a state, continue or stop. To add a method,
write a function from a :class:`Task` to states and a line in :data:`METHODS`. All values in nats.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument, check_choice
from vae_core.inference.avb import avb
from vae_core.inference.elbo import monte_carlo
from vae_core.inference.fitting import Fit, log_weights
from vae_core.inference.gap import fresh_noise
from vae_core.inference.hmc import posterior_steps
from vae_core.inference.proposals import fit_gaussian
from vae_core.inference.quadrature import PosteriorGrid, posterior_grid
from vae_core.inference.refit import refit
from vae_core.inference.svi import Covariance, svi
from vae_core.model.linear_gaussian import is_linear_gaussian, of_model
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE

Kind = Literal["bound", "estimate", "exact", "draws"]

NOT_REACHED = "not reached"
"""A diagnostic of quadrature whose error is too large for log p(x) to count as exact."""
HMC_CHAINS = 4
HMC_WARMUP = 300
_TRANSITIONS_A_STATE = 20
_GRID_LINES = 401


@dataclass(frozen=True)
class Task:
    """One image x (1, C, H, W), one model, and the wanted number of draws of z."""

    model: VAE
    x: Tensor
    draws: int
    seed: int


@dataclass(frozen=True)
class State:
    """State of a method.

    Attributes:
        draws: draws of z from the method's approximation of p(z|x), (n, d), on the CPU; HMC has
            fewer at first, and none in its warm-up.
        share: share of the work that is done, 0 to 1.
        value: a lower bound of log p(x), an estimate that may exceed log p(x), or log p(x) itself,
            as :attr:`Method.kind` says; None if the method gives no value.
        error: standard error of ``value``, or an error bound for quadrature.
        diagnostics: numbers by name that show whether the result can be trusted.
        seconds: time spent in the method so far.
    """

    draws: Tensor
    share: float
    value: float | None = None
    error: float | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def _no_obstacle(_: VAE) -> None:
    return None


@dataclass(frozen=True)
class Method:
    """A line of the table.

    Attributes:
        title: name on pages.
        about: description in a sentence.
        kind: kind of the value: ``"bound"`` for an ELBO, ``"estimate"`` for an estimate of an ELBO
            that may exceed log p(x), ``"exact"`` for log p(x), ``"draws"`` for no value.
        run: the method.
        obstacle: returns why the method cannot be used with a model, or None.
    """

    name: str
    title: str
    about: str
    kind: Kind
    run: Callable[[Task], Iterator[State]]
    obstacle: Callable[[VAE], str | None] = _no_obstacle


def infer(name: str, model: VAE, x: Tensor, draws: int = 1000, seed: int = 0) -> Iterator[State]:
    """Run a method of :data:`METHODS`; the last state has ``share`` 1.

    Args:
        x: the image, (1, C, H, W) in [0, 1].
        draws: number of draws of z, at least 2.

    Raises:
        InvalidArgument: if the method is unknown or cannot be used with this model, or there is
            not exactly one image.
    """
    check_choice("The method", name, METHODS)
    if len(x) != 1 or draws < 2:
        raise InvalidArgument("Inference takes one image at a time, and at least two draws.")
    obstacle = METHODS[name].obstacle(model)
    if obstacle is not None:
        raise InvalidArgument(obstacle)
    x = model.as_images(x)
    return _timed(METHODS[name].run(Task(model, x, draws, seed)))


def available(model: VAE) -> list[Method]:
    """List the methods that can be used with this model, in the order of the table."""
    return [method for method in METHODS.values() if method.obstacle(model) is None]


def _timed(states: Iterator[State]) -> Iterator[State]:
    """Add the time spent in the method to each state, without the time of the caller."""
    seconds = 0.0
    while True:
        began = time.perf_counter()
        state = next(states, None)
        seconds += time.perf_counter() - began
        if state is None:
            return
        yield replace(state, seconds=seconds)


def _amortised(task: Task) -> Iterator[State]:
    with torch.no_grad():
        yield _measured(task, task.model.posterior(task.x), 1.0, {})


def _refitted(task: Task) -> Iterator[State]:
    return _fitted(task, refit(task.model, task.x, seed=task.seed))


def _gauss_newton(task: Task) -> Iterator[State]:
    fitted = fit_gaussian(task.model, task.x, task.seed)
    yield _measured(task, fitted, 1.0, {})


def _svi(covariance: Covariance, task: Task) -> Iterator[State]:
    return _fitted(task, svi(task.model, task.x, covariance, seed=task.seed))


def _fitted(task: Task, fits: Iterator[Fit]) -> Iterator[State]:
    for fit in fits:
        diagnostics = {"steps": fit.steps.item(), "converged": float(fit.converged.item())}
        yield _measured(task, fit.posterior, fit.share, diagnostics)


@torch.no_grad()
def _measured(task: Task, q: Posterior, share: float, diagnostics: Mapping[str, float]) -> State:
    """Draw from q and estimate its ELBO, with noise that no fit has used."""
    epsilon = fresh_noise(task.model, task.x, task.draws, task.seed)
    value, error = monte_carlo(log_weights(task.model, task.x, q, epsilon).double())
    draws = q.path(epsilon).z[:, 0].cpu()
    return State(draws, share, value.item(), error.item(), diagnostics)


def _hmc(task: Task) -> Iterator[State]:
    each = max(4, -(-task.draws // HMC_CHAINS))
    chains = posterior_steps(task.model, task.x, HMC_CHAINS, each, HMC_WARMUP, seed=task.seed)
    for running in chains:
        if running.transitions % _TRANSITIONS_A_STATE and running.share < 1:
            continue
        diagnostics = {"step size": running.step_size.item()}
        if len(running.draws):
            diagnostics["acceptance"] = running.acceptance.item()
            diagnostics["R̂"] = running.r_hat().max().item()
        draws = running.draws.flatten(0, 2)[-task.draws :]
        yield State(draws.clone(), running.share, diagnostics=diagnostics)


def _adversarial(task: Task) -> Iterator[State]:
    for state in avb(task.model, task.x, seed=task.seed):
        diagnostics = {"KL to a Gaussian": state.shape_kl, "accuracy of T": state.accuracy}
        draws = state.z[: task.draws].cpu()
        yield State(draws, state.share, state.elbo, state.elbo_se, diagnostics)


def _quadrature(task: Task) -> Iterator[State]:
    grid = posterior_grid(task.model, task.x, _GRID_LINES)
    draws = _draws_from(grid, task.draws, task.seed).to(task.x.dtype)
    diagnostics = {} if grid.reached else {NOT_REACHED: 1.0}
    yield State(draws, 1.0, grid.log_px, grid.error, diagnostics)


def _draws_from(grid: PosteriorGrid, n: int, seed: int) -> Tensor:
    """Draw grid points by their density and move each within its cell, (n, d)."""
    random = torch.Generator().manual_seed(seed)
    weights = grid.log_density.flatten().softmax(0)
    chosen = torch.multinomial(weights, n, replacement=True, generator=random)
    lines = torch.unravel_index(chosen, grid.log_density.shape)
    corners = torch.stack([axis[i] for axis, i in zip(grid.axes, lines, strict=True)], 1)
    spacing = torch.stack([axis[1] - axis[0] for axis in grid.axes])
    shift = torch.rand(corners.shape, generator=random, dtype=corners.dtype) - 0.5
    return corners + shift * spacing


@torch.no_grad()
def _closed_form(task: Task) -> Iterator[State]:
    exact, x = of_model(task.model), task.x.cpu().double()
    epsilon = fresh_noise(task.model, task.x, task.draws, task.seed)
    draws = exact.posterior(x).path(epsilon.cpu().double()).z[:, 0]
    yield State(draws.to(task.x.dtype), 1.0, exact.log_px(x).item(), 0.0)


def _too_many_dimensions(model: VAE) -> str | None:
    size = model.config.latent_size
    return None if size <= 2 else f"Quadrature works for d = 1 and 2; this model has d = {size}."


def _not_linear_gaussian(model: VAE) -> str | None:
    if is_linear_gaussian(model):
        return None
    return "A closed form exists only for a linear decoder with Gaussian pixels."


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in [
        Method(
            "amortised",
            "Amortised q(z|x)",
            "The model's own q(z|x), straight from the encoder: one pass, no optimisation.",
            "bound",
            _amortised,
        ),
        Method(
            "refitted",
            "q(z|x) refitted to the image",
            "The same family with parameters optimised for this image, starting from the encoder.",
            "bound",
            _refitted,
        ),
        Method(
            "gauss-newton",
            "Gauss–Newton",
            "A Gaussian with full covariance after a few variational Gauss–Newton steps from the "
            "encoder's q or a better guess. Scores use it as their proposal, with longer tails.",
            "bound",
            _gauss_newton,
        ),
        Method(
            "svi-mean-field",
            "Mean-field SVI",
            "A Gaussian with independent dimensions, fitted to this image, starting at the prior.",
            "bound",
            partial(_svi, "mean-field"),
        ),
        Method(
            "svi-full",
            "Full-covariance SVI",
            "A Gaussian with full covariance, fitted to this image, starting at the prior.",
            "bound",
            partial(_svi, "full"),
        ),
        Method(
            "hmc",
            "Hamiltonian Monte Carlo",
            "Markov chains whose draws follow the true posterior after they have mixed.",
            "draws",
            _hmc,
        ),
        Method(
            "avb",
            "Adversarial (AVB)",
            "Draws from a net, whose density is learned by a discriminator. The ELBO is an "
            "estimate that may exceed log p(x).",
            "estimate",
            _adversarial,
        ),
        Method(
            "quadrature",
            "Exact, by quadrature",
            "The true posterior, computed on a grid of z, for d = 1 and 2.",
            "exact",
            _quadrature,
            _too_many_dimensions,
        ),
        Method(
            "closed-form",
            "Exact, in closed form",
            "The true posterior of a linear decoder with Gaussian pixels, which is a Gaussian.",
            "exact",
            _closed_form,
            _not_linear_gaussian,
        ),
    ]
}
