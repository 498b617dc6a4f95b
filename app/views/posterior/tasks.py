"""Long computations of the Posterior lab, as tasks with progress that can be stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.services.refits import refit_key
from app.services.work import Task
from app.views.posterior.families import Member
from app.views.posterior.subject import SEED, Subject
from vae_core.inference import methods
from vae_core.inference.annealing import AnnealedDensity, Annealing, ais_steps, bdmc_steps
from vae_core.inference.fitting import Schedule
from vae_core.inference.gap import Regret, regret
from vae_core.inference.methods import METHODS
from vae_core.inference.refit import refit
from vae_core.inference.weights import Weights, weight_steps
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE

METHOD_DRAWS = 1000
GAP_DRAWS = 2000
CHAINS = 16
QUICK = 200  # temperatures; a value to publish needs at least 500
SCHEDULE = Schedule(
    samples=16, check_every=10, check_samples=256, patience=4, rates=2, most_steps=400
)
_MEASURED_EVERY = 5  # checks of a refit between two measurements

AnyTask = Task[Weights] | Task["Annealed"] | Task["Refit"] | Task[methods.State]


# ---- importance weights


def weights_task(subject: Subject, member: Member, samples: int) -> Task[Weights]:
    """Task that computes log w at ``samples`` draws of a member's q(z|x)."""
    own = subject.on(member.choice)
    return Task(
        ("weights", *own.identity(), samples, SEED),
        f"Computing importance weights: {member.name}",
        lambda: weight_steps(own.model, own.x.to(own.model.device), samples, SEED),
        lambda state: state.share,
    )


# ---- annealing


@dataclass(frozen=True)
class Annealed:
    """State of annealing. Each bound is set when its direction is finished.

    Attributes:
        lower: a lower bound on log p(x) in expectation.
        upper: an upper bound in expectation, for images that the model drew.
    """

    share: float
    temperatures: int
    lower: AnnealedDensity | None = None
    upper: AnnealedDensity | None = None


def anneal_task(subject: Subject, temperatures: int) -> Task[Annealed]:
    """Task that runs AIS, or BDMC (both directions) if the latent of the image is known."""
    both = subject.z is not None
    return Task(
        ("anneal", *subject.identity(), temperatures, CHAINS, SEED),
        "Annealing, forwards and backwards" if both else "Annealing",
        lambda: _annealed(subject, temperatures),
        lambda state: state.share,
    )


def _annealed(subject: Subject, temperatures: int) -> Iterator[Annealed]:
    model = subject.model
    x = subject.x.to(model.device)
    annealing = Annealing(CHAINS, temperatures)
    if subject.z is None:
        for forward in ais_steps(model, x, annealing, SEED):
            lower = forward.estimate() if forward.share == 1 else None
            yield Annealed(forward.share, temperatures, lower)
        return
    z = torch.as_tensor(subject.z, dtype=x.dtype, device=x.device)[None]
    for running in bdmc_steps(model, x, z, annealing, SEED):
        lower = running.forward.estimate() if running.forward.share == 1 else None
        upper = running.reverse.estimate() if running.share == 1 and running.reverse else None
        yield Annealed(running.share, temperatures, lower, upper)


# ---- the best q of a family for this image


@dataclass(frozen=True)
class Refit:
    """State of the fit of q*.

    Attributes:
        best: the best q so far.
        regret: latest measurement of ELBO[q] and ELBO[q*] on new noise.
        converged: whether the fit stopped because the ELBO no longer rose.
    """

    share: float
    steps: int
    best: Posterior
    regret: Regret
    converged: bool


def refit_task(subject: Subject, member: Member) -> Task[Refit]:
    """Task that fits the best q of a family to this image alone."""
    own = subject.on(member.choice)
    return Task(
        refit_key(own.choice, own.x),
        f"Refitting to this image: {member.name}",
        lambda: _refitted(own.model, own.x.to(own.model.device)),
        lambda state: state.share,
    )


def _refitted(model: VAE, x: Tensor) -> Iterator[Refit]:
    measured: Regret | None = None
    for count, fit in enumerate(refit(model, x, SCHEDULE, SEED)):
        if measured is None or fit.done or count % _MEASURED_EVERY == 0:
            measured = regret(model, x, fit.posterior, GAP_DRAWS, SEED)
        steps, converged = int(fit.steps.item()), bool(fit.converged.item())
        yield Refit(fit.share, steps, fit.posterior, measured, converged)


# ---- inference methods


def method_task(subject: Subject, name: str) -> Task[methods.State]:
    """Task that runs an inference method for this image."""
    run = partial(methods.infer, name)
    return Task(
        ("method", name, *subject.identity(), METHOD_DRAWS, SEED),
        METHODS[name].title,
        lambda: run(subject.model, subject.x.to(subject.model.device), METHOD_DRAWS, SEED),
        lambda state: state.share,
    )
