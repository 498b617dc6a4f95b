"""The planar flow step (Rezende & Mohamed 2015, arXiv 1505.05770)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.flows.base import StepShape, _scale_weights


class PlanarStep(nn.Module):
    """f(z) = z + û tanh(wᵀz + b) (Rezende & Mohamed 2015, eq. 10), with u, w, b computed from h.

    û is u moved along w until wᵀû ≥ −1, which makes f invertible (their appendix A.1).
    """

    def __init__(self, shape: StepShape) -> None:
        super().__init__()
        self.parameters_of = nn.Linear(shape.features, 2 * shape.latent_size + 1)
        _scale_weights(self.parameters_of, 0.1)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        d = z.shape[-1]
        u, w, b = self.parameters_of(h).split([d, d, 1], dim=-1)  # (B, d), (B, d), (B, 1)
        w_dot_u = (w * u).sum(-1, keepdim=True)
        shift = F.softplus(w_dot_u) - 1 - w_dot_u
        u = u + shift * w / (w.square().sum(-1, keepdim=True) + 1e-12)
        activation = torch.tanh((z * w).sum(-1, keepdim=True) + b)  # (n, B, 1)
        slope = (1 - activation.square()).squeeze(-1) * (w * u).sum(-1)  # (n, B), above −1
        return z + u * activation, torch.log1p(slope)
