"""Refit q to each image, to split the gap log p(x) − ELBO (Cremer et al. 2018, arXiv 1801.03558).

log p(x) − ELBO[q] = KL(q(z|x) ‖ p(z|x)) ≥ 0 is the sum of
the *approximation gap* log p(x) − ELBO[q*], what the family cannot do, and
the *amortisation gap* ELBO[q*] − ELBO[q], what the encoder fails to do,
where q* is the best member of the family for this image alone. ELBO[q*] − ELBO[q] is also the
likelihood regret of Xiao, Yan & Amit 2020 (arXiv 2003.02977). All values in nats.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from vae_core.inference.fitting import Fit, Params, Schedule, check_some, fit
from vae_core.model.posteriors import GaussianPosterior, Path, Posterior
from vae_core.model.vae import VAE

FEATURES = "features"
_HEAD = "head."
_FRESH = 0x5EED  # makes the noise of a measurement differ from that of importance sampling


def refit(model: VAE, x: Tensor, schedule: Schedule | None = None, seed: int = 0) -> Iterator[Fit]:
    """Optimise the parameters of q for each image, starting from the encoder's output, to find q*.

    The parameters of an image are its features h and its own copy of the weights of
    ``model.to_posterior``. Works for every family.

    Args:
        x: images, (B, C, H, W) in [0, 1]. Memory: four copies of the head's weights per image.

    Yields:
        The state at each check, beginning with q itself. ``state.posterior`` is the best q so far,
        never worse than q on the noise of the checks.

    Raises:
        InvalidArgument: if the images do not have the model's shape, or there is none.
    """
    x = model.as_images(x)
    check_some(x)
    with torch.no_grad():
        start = own_parameters(model, x)
    size = model.config.latent_size
    head = copy.deepcopy(model.to_posterior)  # a copy, because other threads use the model
    vectorised = _vectorises(head, start, size)

    def family(params: Params) -> OwnPosterior:
        return OwnPosterior(head, params, size, vectorised)

    yield from fit(model, x, start, family, schedule, seed)


def own_parameters(model: VAE, x: Tensor) -> dict[str, Tensor]:
    """Return the features of each image (B, F) and a copy of the head's weights each, (B, ...).

    Raises:
        InvalidArgument: if the images do not have the model's shape.
    """
    x = model.as_images(x)
    weights = {
        _HEAD + name: value.detach().expand(len(x), *value.shape).clone()
        for name, value in model.to_posterior.named_parameters()
    }
    return {FEATURES: model.encoder(x).to(x.dtype), **weights}


class _PosteriorCall(nn.Module):
    """Apply a function to the posterior while the head has the weights of one image."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, h: Tensor, ask: Callable[[Posterior], tuple[Tensor, ...]]):
        return ask(self.head(h))


@dataclass(frozen=True)
class OwnPosterior(Posterior):
    """q(z|x) of B images, each with its own features and weights.

    Attributes:
        head: maps features (1, F) to a posterior; the weights stored in it are not used.
        params: the features (B, F) and the weights (B, ...) of each image.
        latent_size: d.
        vectorised: whether all images are computed at once, or one after the other.
    """

    head: nn.Module
    params: Params
    latent_size: int
    vectorised: bool = True

    @property
    def batch_size(self) -> int:
        return len(self.params[FEATURES])

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        h = self.params[FEATURES]
        shape = (n, self.batch_size, self.latent_size)
        return torch.randn(shape, generator=generator, device=h.device, dtype=h.dtype)

    def path(self, epsilon: Tensor) -> Path:
        stages = self._ask(_stages, epsilon)
        steps = len(stages) // 2 - 1
        points, log_q0, log_abs_dets = stages[: steps + 1], stages[steps + 1], stages[steps + 2 :]
        return Path(epsilon, list(points), log_q0, list(log_abs_dets))

    def as_gaussian(self) -> GaussianPosterior | None:
        first = self.rows(slice(0, 1))
        if not first.batch_size or first._ask_one(0, _gaussian_parts) == ():
            return None
        mean, log_scale, *lower = (part[0] for part in self._ask(_gaussian_parts))
        return GaussianPosterior(mean, log_scale, *lower)

    def score(self, path: Path) -> Tensor:
        each = [self._ask_one(i, _score, path.epsilon[:, i, None]) for i in self._images]
        return torch.cat([score for (score,) in each], 1)

    def moments(
        self, samples: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        each = [self._ask_one(i, lambda q: q.moments(samples, generator)) for i in self._images]
        mean, variance = (torch.cat(column) for column in zip(*each, strict=True))
        return mean, variance

    def rows(self, chosen: slice | Tensor) -> "OwnPosterior":
        params = {name: value[chosen] for name, value in self.params.items()}
        return OwnPosterior(self.head, params, self.latent_size, self.vectorised)

    @property
    def _images(self) -> range:
        return range(self.batch_size)

    def _ask(self, question: Callable[..., tuple[Tensor, ...]], *given: Tensor):
        """Apply a function to the posterior of each image; tensors are (n, B, ...) in and out."""

        def one(params: Params, *rows: Tensor) -> tuple[Tensor, ...]:
            own = [row[:, None] for row in rows]
            answers = _call(self.head, params, lambda q: question(q, *own))
            return tuple(answer[:, 0] for answer in answers)

        if self.vectorised:
            in_dims = (0, *[1] * len(given))
            return vmap(one, in_dims=in_dims, out_dims=1)(dict(self.params), *given)
        each = [one(self._own(i), *(g[:, i] for g in given)) for i in self._images]
        return tuple(torch.stack(column, 1) for column in zip(*each, strict=True))

    def _ask_one(
        self, image: int, question: Callable[..., tuple[Tensor, ...]], *given: object
    ) -> tuple[Tensor, ...]:
        return _call(self.head, self._own(image), lambda q: question(q, *given))

    def _own(self, image: int) -> dict[str, Tensor]:
        return {name: value[image] for name, value in self.params.items()}


def _call(head: nn.Module, params: Params, ask: Callable[[Posterior], tuple[Tensor, ...]]):
    weights = {name: value for name, value in params.items() if name != FEATURES}
    return functional_call(_PosteriorCall(head), weights, (params[FEATURES][None], ask))


def _stages(q: Posterior, epsilon: Tensor) -> tuple[Tensor, ...]:
    path = q.path(epsilon)
    return (*path.points, path.log_q0, *path.log_abs_dets)


def _gaussian_parts(q: Posterior) -> tuple[Tensor, ...]:
    """Mean, log scale and the lower triangle (if any), each (1, B, …); empty if not Gaussian."""
    gaussian = q.as_gaussian()
    if gaussian is None:
        return ()
    parts = (gaussian.mean, gaussian.log_scale, gaussian.lower)
    return tuple(part[None] for part in parts if part is not None)


def _score(q: Posterior, epsilon: Tensor) -> tuple[Tensor]:
    return (q.score(q.path(epsilon)),)


def _vectorises(head: nn.Module, params: Params, latent_size: int) -> bool:
    """Whether vmap works for the family; if not, images are computed one after the other."""
    few = OwnPosterior(head, params, latent_size).rows(slice(0, 2))
    try:
        with torch.no_grad():
            few.path(few.noise(2))
    except RuntimeError:  # vmap does not support, for example, branches on values
        return False
    return True
