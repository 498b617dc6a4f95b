"""The radial flow step (Rezende & Mohamed 2015, arXiv 1505.05770)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.flows.base import StepShape


class RadialStep(nn.Module):
    """f(z) = z + β (z − c) / (α + r), r = ‖z − c‖ (Rezende & Mohamed 2015, eq. 14).

    c, α and β are computed from h.
    α > 0 and β > −α make f invertible (their appendix A.2).
    """

    def __init__(self, shape: StepShape) -> None:
        super().__init__()
        self.parameters_of = nn.Linear(shape.features, shape.latent_size + 2)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        d = z.shape[-1]
        centre, alpha, rise = self.parameters_of(h).split([d, 1, 1], dim=-1)
        beta = F.softplus(alpha + 0.1 * rise) - F.softplus(alpha)  # near 0 at the start
        alpha = F.softplus(alpha)
        away = z - centre
        r = (away.square().sum(-1, keepdim=True) + 1e-12).sqrt()  # (n, B, 1); no 0/0 at the centre
        pull = beta / (alpha + r)
        stretch = torch.log1p(pull * alpha / (alpha + r))  # along the ray; across it, 1 + pull
        log_abs_det = (d - 1) * torch.log1p(pull) + stretch
        return z + pull * away, log_abs_det.squeeze(-1)
