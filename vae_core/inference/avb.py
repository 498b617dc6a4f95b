"""Adversarial variational Bayes with adaptive contrast, for one image and one decoder.

Mescheder, Nowozin & Geiger 2017 (arXiv 1701.04722). q(z) is implicit: z = g(ε) with a net g, so q
can take any shape, but its density is unknown. A discriminator T learns the density: trained to
separate draws of q from draws of a contrast r, it tends to T*(z) = log q(z) − log r(z) (their
proposition 1). Here r is the Gaussian with the mean and covariance of q's draws (section 3,
adaptive contrast), so T has to learn only the shape of q.

**The ELBO given here is an estimate, not a bound.** It is only as good as T. If T has not learned
all of log q − log r, KL(q ‖ r) is too small and the estimate is too high, perhaps above log p(x).
The standard error includes only the error of the draws, not the error of T.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.basics.errors import InvalidArgument
from vae_core.inference.elbo import monte_carlo
from vae_core.model.noise import standard_normal_log_prob
from vae_core.model.vae import VAE

_WARM = 0.1  # share of the steps over which the weight of T in g's loss rises to 1
_BETAS = (0.5, 0.99)
_JITTER = 1e-6  # relative, on the covariance of the draws


@dataclass(frozen=True)
class AvbSettings:
    """Settings for the training of the two nets.

    T learns faster, from more draws and more often than g, so that g finds few errors of T to
    exploit. q is the moving average of g, because g itself oscillates.

    Attributes:
        steps: steps of g; the step sizes fall to a twentieth by the last one.
        closing_steps: steps of T alone after that, which make the final ELBO more reliable.
        rate: Adam's step size for the net of g.
        affine_rate: Adam's step size for g's scale, tilt and shift.
        discriminator_rate: Adam's step size for T.
        draws: draws of z in a step of g.
        discriminator_draws: draws of z, and of the contrast, in a step of T.
        discriminator_steps: steps of T for each step of g.
        average: rate of the moving average.
        hidden: width of the two hidden layers of either net.
        extra_noise: number of dimensions of ε beyond those of z, so that q is not a mere
            deformation of R^d.
        report_every: steps between two states.
        report_draws: draws of z in a state.
    """

    steps: int = 1000
    closing_steps: int = 200
    rate: float = 1e-3
    affine_rate: float = 1e-2
    discriminator_rate: float = 5e-3
    draws: int = 128
    discriminator_draws: int = 512
    discriminator_steps: int = 2
    average: float = 0.01
    hidden: int = 48
    extra_noise: int = 2
    report_every: int = 50
    report_draws: int = 2000


@dataclass(frozen=True)
class AvbState:
    """State of the training.

    Attributes:
        z: draws of q, (n, d).
        elbo: ESTIMATE of the ELBO in nats, E[log p(x, z) − log r(z) − T(z)]; not a bound.
        elbo_se: standard error of ``elbo`` over the draws, without the error of T.
        shape_kl: T's estimate of KL(q ‖ r), the distance of q from a Gaussian, in nats.
        accuracy: share of draws that T assigns correctly to q or r; ½ for a Gaussian q.
        step: number of steps so far.
        share: share of all steps, 0 to 1.
    """

    z: Tensor
    elbo: float
    elbo_se: float
    shape_kl: float
    accuracy: float
    step: int
    share: float


class _Generator(nn.Module):
    """z = b + C(ε_{1…d} + net(ε)), C lower triangular: begins near N(0, I)."""

    def __init__(self, size: int, settings: AvbSettings, weights: torch.Generator) -> None:
        super().__init__()
        self.size, self.noise_size = size, size + settings.extra_noise
        self.net = _net(self.noise_size, size, settings.hidden, weights, start=0.1)
        self.shift = nn.Parameter(torch.zeros(size))
        self.log_scale = nn.Parameter(torch.zeros(size))
        self.below = nn.Parameter(torch.zeros(size, size))

    @property
    def affine(self) -> list[nn.Parameter]:
        """The parameters of b and C."""
        return [self.shift, self.log_scale, self.below]

    def forward(self, epsilon: Tensor) -> Tensor:
        bent = epsilon[:, : self.size] + self.net(epsilon)
        tilt = self.below.tril(-1) + torch.eye(self.size, dtype=bent.dtype, device=bent.device)
        return self.shift + (self.log_scale.exp() * bent) @ tilt.T


def _net(
    inputs: int, outputs: int, hidden: int, weights: torch.Generator, start: float = 1.0
) -> nn.Sequential:
    """Make a net with weights from the given generator, because threads share PyTorch's."""
    first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
    last = nn.Linear(hidden, outputs)
    for layer in (first, second, last):
        bound = layer.in_features**-0.5  # as in PyTorch
        nn.init.uniform_(layer.weight, -bound, bound, generator=weights)
        nn.init.uniform_(layer.bias, -bound, bound, generator=weights)
    nn.init.zeros_(last.bias)
    with torch.no_grad():
        last.weight.mul_(start)
    return nn.Sequential(first, nn.ELU(), second, nn.ELU(), last)


def avb(
    model: VAE, x: Tensor, settings: AvbSettings | None = None, seed: int = 0
) -> Iterator[AvbState]:
    """Train an implicit q(z) for one image.

    Args:
        x: the image, (1, C, H, W) in [0, 1].

    Yields:
        The state every ``settings.report_every`` steps. Its ELBO is an estimate, not a bound.

    Raises:
        InvalidArgument: if there is not exactly one image.
    """
    if len(x) != 1:
        raise InvalidArgument(f"Adversarial inference takes one image at a time, not {len(x)}.")
    x = model.as_images(x)
    settings = settings or AvbSettings()
    game = _Game(model, x, settings, seed)
    last = settings.steps + settings.closing_steps
    for step in range(1, last + 1):
        if step <= settings.steps:
            game.play(step / settings.steps)
        else:
            game.close()
        if step % settings.report_every == 0 or step == last:
            yield game.state(step, step / last)


class _Game:
    """The two players, their optimisers and the noise."""

    def __init__(self, model: VAE, x: Tensor, settings: AvbSettings, seed: int) -> None:
        self.model, self.x, self.settings = model, x, settings
        self.random = torch.Generator(x.device).manual_seed(seed)
        size = model.config.latent_size
        weights = torch.Generator().manual_seed(seed)
        self.g = _Generator(size, settings, weights).to(x.device, x.dtype)
        self.t = _net(size, 1, settings.hidden, weights).to(x.device, x.dtype)
        self.average = copy.deepcopy(self.g).requires_grad_(False)
        affine = {"params": self.g.affine, "lr": settings.affine_rate}
        net = {"params": list(self.g.net.parameters()), "lr": settings.rate}
        self.g_adam = torch.optim.Adam([net, affine], betas=_BETAS)
        self.t_adam = torch.optim.Adam(
            self.t.parameters(), settings.discriminator_rate, betas=_BETAS
        )
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(adam, self._share_of_rate)
            for adam in (self.g_adam, self.t_adam)
        ]

    def _share_of_rate(self, step: int) -> float:
        return 0.525 + 0.475 * math.cos(math.pi * min(1.0, step / self.settings.steps))

    def play(self, share: float) -> None:
        """Take some steps of T, then one step of g."""
        for _ in range(self.settings.discriminator_steps):
            self._teach(self.g)
        _descend(self.g_adam, self._generator_loss(min(1.0, share / _WARM)))
        for mean, value in zip(self.average.parameters(), self.g.parameters(), strict=True):
            mean.data.lerp_(value.data, self.settings.average)
        for schedule in self.schedules:
            schedule.step()

    def close(self) -> None:
        """Take a step of T alone, against the moving average, which is the result q."""
        self._teach(self.average)

    def _teach(self, g: _Generator) -> None:
        """−E_q log σ(T) − E_r log(1 − σ(T)), their eq. 3.3; r is N(0, I) once q is whitened."""
        with torch.no_grad():
            y, _ = _whiten(self._draw(g, self.settings.discriminator_draws))
        contrast = self._normal(*y.shape)
        with torch.enable_grad():
            loss = F.softplus(-self._t(y)).mean() + F.softplus(self._t(contrast)).mean()
        _descend(self.t_adam, loss)

    def _generator_loss(self, weight: float) -> Tensor:
        """−E[log p(x, z) − log r(z) − T(z)], without a constant.

        E[−log r] is the entropy of the Gaussian fitted to the same draws, log det C + constant.
        """
        with torch.enable_grad():
            z = self._draw(self.g, self.settings.draws)
            y, log_det = _whiten(z)
            joint = self.model.log_joint(self.x, z[:, None]).mean()
            return weight * self._t(y).mean() - joint - log_det

    @torch.no_grad()
    def state(self, step: int, share: float) -> AvbState:
        """Measure the current q with the help of T."""
        z = self._draw(self.average, self.settings.report_draws)
        y, log_det = _whiten(z)
        t = self._t(y)
        log_r = standard_normal_log_prob(y) - log_det
        log_w = self.model.log_joint(self.x, z[:, None])[:, 0] - log_r - t
        elbo, se = monte_carlo(log_w[:, None].double())
        right = (t > 0).double().mean() + (self._t(self._normal(*y.shape)) < 0).double().mean()
        return AvbState(
            z=z,
            elbo=elbo.item(),
            elbo_se=se.item(),
            shape_kl=t.mean().item(),
            accuracy=right.item() / 2,
            step=step,
            share=share,
        )

    def _draw(self, g: _Generator, n: int) -> Tensor:
        return g(self._normal(n, g.noise_size))

    def _t(self, y: Tensor) -> Tensor:
        return self.t(y).squeeze(-1)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.random, device=self.x.device, dtype=self.x.dtype)


def _whiten(z: Tensor) -> tuple[Tensor, Tensor]:
    """Whiten draws (n, d): y = C⁻¹(z − m) with their mean m and covariance CCᵀ; and log det C."""
    centred = z - z.mean(0)
    covariance = centred.T @ centred / len(z)
    jitter = _JITTER * covariance.diagonal().mean()
    eye = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    c = torch.linalg.cholesky(covariance + jitter * eye)
    y = torch.linalg.solve_triangular(c, centred.T, upper=False).T
    return y, c.diagonal().log().sum()


def _descend(adam: torch.optim.Adam, loss: Tensor) -> None:
    """Take one step of one player. The weights of the other player get no gradient."""
    parameters = [each for group in adam.param_groups for each in group["params"]]
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    adam.step()
