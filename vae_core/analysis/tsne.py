"""t-SNE: a map of many dimensions in two that keeps neighbours together, made step by step.

van der Maaten & Hinton 2008, with the initialisation and the learning rate that Kobak & Berens
2019 and Belkina et al. 2019 recommend, and the optimiser of scikit-learn's ``TSNE``. That class
reports no progress and cannot be stopped. Here every few iterations are a state, and the repulsive
forces are exact, not approximated by a tree. Nothing is random: equal latents give equal maps.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.arrays import Floats
from vae_core.basics.errors import InvalidArgument

PERPLEXITY = 30.0
ITERATIONS = 1000
_EXAGGERATION, _EXAGGERATED_ITERATIONS = 12.0, 250
_MOMENTA = 0.5, 0.8  # while exaggerated, and after it
_ITERATIONS_OF_A_STATE = 5
_FEWEST = 4  # points; with fewer no perplexity above 1 is possible
_FIRST_SPREAD = 1e-4  # standard deviation of the first map along its first axis
_BLOCK = 128  # rows whose distances to all others fit into a processor's cache
_BISECTIONS = 64


@dataclass(frozen=True)
class Embedding:
    """A map of N points in two dimensions, finished or on its way.

    Attributes:
        points: positions, (N, 2). They have no unit, and only neighbourhoods mean something.
        share: how much of the computation is done, 0 to 1.
    """

    points: Floats
    share: float


def perplexity_for(count: int) -> float:
    """Perplexity for ``count`` points: 30, or less where so many neighbours do not exist."""
    return min(PERPLEXITY, (count - 1) / 3)


def tsne_steps(
    latents: Floats, perplexity: float | None = None, iterations: int = ITERATIONS
) -> Iterator[Embedding]:
    """Map latents (N, d) to two dimensions by t-SNE.

    Minimises KL(P ‖ Q) = Σ_ij p_ij log(p_ij / q_ij), where p_ij is from Gaussians around each
    latent, with widths that give the perplexity, and q_ij ∝ 1 / (1 + ‖y_i − y_j‖²). P holds the
    nearest 3 · perplexity neighbours of each latent.

    Args:
        perplexity: about how many neighbours count; by default :func:`perplexity_for`.

    Yields:
        The map so far; the last state is the result.

    Raises:
        InvalidArgument: if there are fewer than four latents, or if the perplexity is not between 1
            and (N − 1) / 3.
    """
    count = len(latents)
    wanted = perplexity_for(count) if perplexity is None else perplexity
    if count < _FEWEST:
        raise InvalidArgument(f"t-SNE needs at least {_FEWEST} images, not {count}.")
    if not 1 <= wanted <= (count - 1) / 3:
        most = (count - 1) / 3
        raise InvalidArgument(
            f"The perplexity of {count} images lies between 1 and {most:g}, not {wanted:g}."
        )
    yield Embedding(_first_map(latents).numpy(), 0.0)
    neighbours, p = affinities(latents, wanted)
    yield from _descend(_first_map(latents).float(), neighbours, p.float(), iterations)


def _descend(y: Tensor, neighbours: Tensor, p: Tensor, iterations: int) -> Iterator[Embedding]:
    """Gradient descent with momentum, and a gain for each coordinate (Jacobs 1988)."""
    rate = max(len(y) / _EXAGGERATION / 4, 50.0)
    velocity, gains = torch.zeros_like(y), torch.ones_like(y)
    for done in range(1, iterations + 1):
        early = done <= _EXAGGERATED_ITERATIONS
        gradient = kl_gradient(y, neighbours, p * _EXAGGERATION if early else p)
        agrees = velocity * gradient < 0
        gains = torch.where(agrees, gains + 0.2, gains * 0.8).clamp_(min=0.01)
        velocity = _MOMENTA[not early] * velocity - rate * gains * gradient
        y = y + velocity
        if done % _ITERATIONS_OF_A_STATE == 0 or done == iterations:
            yield Embedding((y - y.mean(0)).double().numpy(), done / iterations)


def _first_map(latents: Floats) -> Tensor:
    """The first two principal components, (N, 2), much reduced."""
    centred = torch.as_tensor(latents - latents.mean(0), dtype=torch.float64)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    signs = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()  # else they are arbitrary
    points = centred @ (axes * signs).T
    points = torch.nn.functional.pad(points, (0, 2 - points.shape[1]))
    return points / points[:, 0].std().clamp(min=1e-12) * _FIRST_SPREAD


def affinities(latents: Floats, perplexity: float) -> tuple[Tensor, Tensor]:
    """Find the neighbours of latents (N, d) and how much each counts.

    Returns:
        The neighbours, (N, k), and p_{j|i} / N, (N, k), float64, which sum to 1. The symmetric p_ij
        is the mean of this number of i and j and that of j and i.
    """
    from sklearn.neighbors import NearestNeighbors  # takes a second to import, and 60 MB

    count = min(len(latents) - 1, math.ceil(3 * perplexity))
    distances, neighbours = NearestNeighbors(n_neighbors=count).fit(latents).kneighbors()
    return torch.as_tensor(neighbours), _calibrated(torch.as_tensor(distances**2), perplexity)


def _calibrated(squares: Tensor, perplexity: float) -> Tensor:
    """p_{j|i} / N from squared distances (N, k), by bisection of the log precision of each row."""
    squares = squares - squares[:, :1]  # the nearest counts 1, so that no sum is zero
    scale = squares.mean(1, keepdim=True).clamp(min=1e-12)
    low, high = (torch.full_like(scale, limit) for limit in (-30.0, 30.0))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        log_p = torch.log_softmax(-squares / scale * middle.exp(), 1)
        entropy = -(log_p.exp() * log_p).sum(1, keepdim=True)
        too_wide = entropy > math.log(perplexity)
        low, high = torch.where(too_wide, middle, low), torch.where(too_wide, high, middle)
    return torch.softmax(-squares / scale * ((low + high) / 2).exp(), 1) / len(squares)


def kl_gradient(y: Tensor, neighbours: Tensor, p: Tensor) -> Tensor:
    """Gradient of KL(P ‖ Q) in the positions y (N, 2): (N, 2).

    4 Σ_j (p_ij − q_ij) (y_i − y_j) / (1 + ‖y_i − y_j‖²), van der Maaten & Hinton 2008, equation 5.

    Args:
        neighbours, p: of :func:`affinities`.
    """
    return 4 * (_attraction(y, neighbours, p) - _repulsion(y))


def _attraction(y: Tensor, neighbours: Tensor, p: Tensor) -> Tensor:
    """Σ_j p_ij (y_i − y_j) / (1 + ‖y_i − y_j‖²), coordinate by coordinate, which is faster."""
    flat = neighbours.flatten()
    away = [axis[:, None] - axis[flat].view(neighbours.shape) for axis in y.T]
    weights = p / 2 / (1 + away[0].square() + away[1].square())
    pulls = [weights * each for each in away]
    return torch.stack([pull.sum(1).index_add_(0, flat, -pull.flatten()) for pull in pulls], 1)


def _repulsion(y: Tensor) -> Tensor:
    """Σ_j q_ij (y_i − y_j) / (1 + ‖y_i − y_j‖²), each pair of points computed once."""
    force, total = torch.zeros_like(y), y.new_zeros(())
    lengths = y.square().sum(1)
    for start in range(0, len(y), _BLOCK):
        end = start + _BLOCK
        rows, others = y[start:end], y[start:]
        kernel = torch.addmm(lengths[None, start:] + 1, rows, others.T, alpha=-2)
        kernel.add_(lengths[start:end, None]).clamp_(min=1).reciprocal_()
        total += kernel.sum() + kernel[:, len(rows) :].sum()
        kernel.square_()
        force[start:end] += rows * kernel.sum(1, keepdim=True) - kernel @ others
        later = kernel[:, len(rows) :]
        force[end:] += y[end:] * later.sum(0)[:, None] - later.T @ rows
    return force / (total - len(y))  # a point does not repel itself


def embedding(latents: Floats) -> Floats:
    """Map latents (N, d) to two dimensions by t-SNE, (N, 2), as :func:`tsne_steps` does."""
    *_, last = tsne_steps(latents)
    return last.points
