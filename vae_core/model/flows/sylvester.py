"""Sylvester steps z' = z + Q R tanh(R̃ Qᵀ z + b) (van den Berg et al. 2018, arXiv 1803.05649).

Q has M orthonormal columns. R and R̃ are upper triangular, M × M. All three and b are computed from
h. log |det ∂z'/∂z| = Σ_i log(1 + tanh'(·)_i r̃_ii r_ii) (their eq. 11). The variants differ only in
Q.
Shapes as in :mod:`vae_core.model.flows.base`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.basics.batched import times
from vae_core.model.flows.base import StepShape

_MOST_COLUMNS = 16  # largest M of the orthogonal variant
_REFLECTIONS = 8  # number of reflections of the Householder variant
_SUMMARY = 16  # size of the summary of an image from which large matrices are made


class Basis(NamedTuple):
    """The products with Q, (n, B, M) -> (n, B, d), and with Qᵀ, (n, B, d) -> (n, B, M)."""

    out: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


class SylvesterStep(nn.Module):
    """The step for any Q; ``columns`` is M."""

    def __init__(self, shape: StepShape, columns: int) -> None:
        super().__init__()
        features = shape.features
        self.columns = columns
        # M² entries are made from a short summary: a map from all features would exceed the VAE
        self.summary = nn.Linear(features, _SUMMARY)
        self.above = StrictlyUpper(columns)  # R above its diagonal
        self.above_tilde = StrictlyUpper(columns)
        self.diagonals = nn.Linear(features, 2 * columns)
        self.bias = nn.Linear(features, columns)
        with torch.no_grad():
            self.diagonals.weight.mul_(0.1)
            self.diagonals.bias.mul_(0.1)

    def basis(self, h: Tensor, summary: Tensor) -> Basis:
        """Compute Q for each image, from the features (B, F) and their summary (B, 16)."""
        raise NotImplementedError

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        summary = self.summary(h)
        # |r_ii r̃_ii| < 1 makes the step invertible (their theorem 2)
        r, r_tilde = torch.tanh(self.diagonals(h)).chunk(2, -1)  # the diagonals, (B, M)
        q = self.basis(h, summary)
        inner = q.back(z)
        inner = r_tilde * inner + self.above_tilde(inner, summary) + self.bias(h)
        activation = torch.tanh(inner)  # (n, B, M)
        moved = r * activation + self.above(activation, summary)
        slope = (1 - activation.square()) * (r * r_tilde)
        return z + q.out(moved), torch.log1p(slope).sum(-1)


class StrictlyUpper(nn.Module):
    """U x for a strictly upper triangular U of each image, (M, M), linear in the image's summary.

    This is Σ_jk W_ijk s_k x_j, summed in the cheaper order.
    """

    above: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size, _SUMMARY) * (0.1 / _SUMMARY))
        above = torch.ones(size, size).triu(1)[..., None]
        self.register_buffer("above", above, persistent=False)

    def forward(self, x: Tensor, summary: Tensor) -> Tensor:  # (n, B, M), (B, 16) -> (n, B, M)
        weight = self.weight * self.above
        if len(x) == 1:  # each matrix would be used once only, so none is built
            both = x[0, :, :, None] * summary[:, None, :]  # (B, M, 16)
            return (both.flatten(1) @ weight.flatten(1).T)[None]
        return times(torch.einsum("ijk,bk->bij", weight, summary), x)


class OrthogonalSylvesterStep(SylvesterStep):
    """The step with Q from the columns of any matrix, made orthonormal.

    The QR decomposition gives orthonormal columns (up to rounding) for every matrix, with a tenth
    of the work of the paper's iteration (eq. 14).
    """

    def __init__(self, shape: StepShape) -> None:
        super().__init__(shape, min(shape.latent_size, _MOST_COLUMNS))
        self.raw = nn.Linear(_SUMMARY, shape.latent_size * self.columns)

    def basis(self, h: Tensor, summary: Tensor) -> Basis:
        q, _ = torch.linalg.qr(self.raw(summary).unflatten(-1, (-1, self.columns)))
        return Basis(lambda x: times(q, x), lambda z: times(q.mT, z))


class HouseholderSylvesterStep(SylvesterStep):
    """The step where Q is a product of Householder reflections (their §4.2); M = d."""

    def __init__(self, shape: StepShape) -> None:
        super().__init__(shape, shape.latent_size)
        self.vectors = nn.Linear(shape.features, _REFLECTIONS * shape.latent_size)

    def basis(self, h: Tensor, summary: Tensor) -> Basis:
        v = self.vectors(h).unflatten(-1, (_REFLECTIONS, -1))
        v = v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        # H_1 … H_m = I − VᵀUV, where U⁻¹ is the upper triangle of VVᵀ with halved diagonal
        identity = torch.eye(_REFLECTIONS, dtype=v.dtype, device=v.device)
        inverse = (v @ v.mT).triu(1) + 0.5 * identity
        u = torch.linalg.solve_triangular(inverse, identity, upper=True)
        return Basis(
            lambda x: x - times(v.mT, times(u, times(v, x))),
            lambda z: z - times(v.mT, times(u.mT, times(v, z))),
        )


class TriangularSylvesterStep(SylvesterStep):
    """The step where Q is the identity or, in every other step, the reversal (their §4.3)."""

    def __init__(self, shape: StepShape) -> None:
        super().__init__(shape, shape.latent_size)
        self.reverse = shape.index % 2 == 1

    def basis(self, h: Tensor, summary: Tensor) -> Basis:
        return Basis(self._turn, self._turn)

    def _turn(self, x: Tensor) -> Tensor:
        return x.flip(-1) if self.reverse else x
