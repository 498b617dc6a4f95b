"""Sylvester steps z' = z + Q R tanh(R̃ Qᵀ z + b) (van den Berg et al. 2018, arXiv 1803.05649).

Q has M orthonormal columns, R and R̃ are upper triangular, M × M; all three and b are given by h.
log |det ∂z'/∂z| = Σ_i log(1 + tanh'(·)_i r̃_ii r_ii) (their eq. 11). The variants differ in Q alone.
Shapes as in :mod:`vae_core.flows`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.flows import Place

_MOST_COLUMNS = 16  # M of the orthogonal variant
_REFLECTIONS = 8  # of the Householder variant


class Basis(NamedTuple):
    """Q as what it does: to all of z's coordinates, (n, B, M) -> (n, B, d), and Qᵀ, back."""

    out: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


class SylvesterStep(nn.Module):
    """The step for any Q; ``columns`` is M."""

    above: Tensor

    def __init__(self, place: Place, columns: int) -> None:
        super().__init__()
        features = place.features
        self.columns = columns
        # R above the diagonal, and R̃ᵀ below it
        self.off_diagonals = nn.Linear(features, columns * columns)
        self.diagonals = nn.Linear(features, 2 * columns)
        self.bias = nn.Linear(features, columns)
        with torch.no_grad():
            for layer in (self.off_diagonals, self.diagonals):
                layer.weight.mul_(0.1)
                layer.bias.mul_(0.1)
        self.register_buffer("above", torch.ones(columns, columns).triu(1), persistent=False)

    def basis(self, h: Tensor) -> Basis:
        """Q for each image, from the features (B, F)."""
        raise NotImplementedError

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        off_diagonals = self.off_diagonals(h).unflatten(-1, (self.columns, self.columns))
        # with |r_ii r̃_ii| < 1 the step can be inverted (their theorem 2)
        r, r_tilde = torch.tanh(self.diagonals(h)).chunk(2, -1)  # the diagonals, (B, M)
        q = self.basis(h)
        inner = q.back(z)
        inner = r_tilde * inner + _times((off_diagonals * self.above.T).mT, inner) + self.bias(h)
        activation = torch.tanh(inner)  # (n, B, M)
        moved = r * activation + _times(off_diagonals * self.above, activation)
        slope = (1 - activation.square()) * (r * r_tilde)
        return z + q.out(moved), torch.log1p(slope).sum(-1)


class OrthogonalSylvesterStep(SylvesterStep):
    """Q has the columns of any matrix, made orthonormal.

    By QR decomposition, which is orthonormal to rounding for every matrix and needs a tenth of the
    work of their iteration (their eq. 14).
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place, min(place.latent_size, _MOST_COLUMNS))
        self.raw = nn.Linear(place.features, place.latent_size * self.columns)

    def basis(self, h: Tensor) -> Basis:
        q, _ = torch.linalg.qr(self.raw(h).unflatten(-1, (-1, self.columns)))
        return Basis(lambda x: _times(q, x), lambda z: _times(q.mT, z))


class HouseholderSylvesterStep(SylvesterStep):
    """Q is a product of Householder reflections (their §4.2); M = d."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, place.latent_size)
        self.vectors = nn.Linear(place.features, _REFLECTIONS * place.latent_size)

    def basis(self, h: Tensor) -> Basis:
        v = self.vectors(h).unflatten(-1, (_REFLECTIONS, -1))
        v = v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        # H_1 … H_m = I − VᵀUV, U⁻¹ the upper triangle of VVᵀ with halved diagonal
        identity = torch.eye(_REFLECTIONS, dtype=v.dtype, device=v.device)
        inverse = (v @ v.mT).triu(1) + 0.5 * identity
        u = torch.linalg.solve_triangular(inverse, identity, upper=True)
        return Basis(
            lambda x: x - _times(v.mT, _times(u, _times(v, x))),
            lambda z: z - _times(v.mT, _times(u.mT, _times(v, z))),
        )


class TriangularSylvesterStep(SylvesterStep):
    """Q is the identity or, in every other step, the reversal of the dimensions (their §4.3)."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, place.latent_size)
        self.reverse = place.index % 2 == 1

    def basis(self, h: Tensor) -> Basis:
        return Basis(self._turn, self._turn)

    def _turn(self, x: Tensor) -> Tensor:
        return x.flip(-1) if self.reverse else x


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    """The matrix of each image, (B, i, j), times vectors (n, B, j): (n, B, i)."""
    return torch.einsum("bij,nbj->nbi", matrix, x)
