"""Flow steps f_t, each an ``nn.Module`` called as ``(z, h) -> (z', log_abs_det)``.

Shapes: z and z' are (n, B, d) for n samples of each of B images; h is (B, F), the encoder's
features, from which every step takes its parameters (amortised); log_abs_det = log |det ∂z'/∂z|
is (n, B), in nats. Every step starts near the identity, so that an untrained flow is close to its
Gaussian base.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Place:
    """What a flow step is told when it is made.

    Attributes:
        latent_size: d.
        features: F, the length of h.
        hidden_size: the width of the network inside the step, where it has one.
        index: t, from 0.
        steps: T.
    """

    latent_size: int
    features: int
    hidden_size: int = 128
    index: int = 0
    steps: int = 1


class PlanarStep(nn.Module):
    """f(z) = z + û tanh(wᵀz + b) (Rezende & Mohamed 2015, eq. 10), u, w, b given by h.

    û is u moved along w until wᵀû ≥ −1, which makes f invertible (their appendix A.1).
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.parameters_of = nn.Linear(place.features, 2 * place.latent_size + 1)
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


class RadialStep(nn.Module):
    """f(z) = z + β (z − c) / (α + r), r = ‖z − c‖ (Rezende & Mohamed 2015, eq. 14), all from h.

    α > 0 and β > −α make f invertible (their appendix A.2).
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.parameters_of = nn.Linear(place.features, place.latent_size + 2)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        d = z.shape[-1]
        centre, alpha, rise = self.parameters_of(h).split([d, 1, 1], dim=-1)
        beta = F.softplus(alpha + 0.1 * rise) - F.softplus(alpha)  # near 0 to begin with
        alpha = F.softplus(alpha)
        away = z - centre
        r = (away.square().sum(-1, keepdim=True) + 1e-12).sqrt()  # (n, B, 1); no 0/0 at the centre
        pull = beta / (alpha + r)
        stretch = torch.log1p(pull * alpha / (alpha + r))  # along the ray; across it, 1 + pull
        log_abs_det = (d - 1) * torch.log1p(pull) + stretch
        return z + pull * away, log_abs_det.squeeze(-1)


class MaskedLinear(nn.Linear):
    """A linear layer whose forbidden connections are held at zero."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.mask * self.weight, self.bias)


class AutoregressiveNet(nn.Module):
    """MADE (Germain et al. 2015): output i depends on z_j for j < i only, and on h.

    ``forward(z, h)`` returns ``outputs`` tensors of shape (n, B, d).
    """

    def __init__(self, latent_size: int, features: int, hidden_size: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        inputs = torch.arange(latent_size)
        hidden = torch.arange(hidden_size) % max(latent_size - 1, 1)
        self.first = MaskedLinear(hidden[:, None] >= inputs)
        self.context = nn.Linear(features, hidden_size, bias=False)
        self.second = MaskedLinear(hidden[:, None] >= hidden)
        self.last = MaskedLinear((inputs[:, None] > hidden).repeat(outputs, 1))
        self.last_context = nn.Linear(features, outputs * latent_size, bias=False)
        _scale_weights(self.last, 0.1)
        _scale_weights(self.last_context, 0.1)

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        hidden = F.relu(self.first(z) + self.context(h))
        hidden = F.relu(self.second(hidden))
        return (self.last(hidden) + self.last_context(h)).chunk(self.outputs, dim=-1)


class InverseAutoregressiveStep(nn.Module):
    """z' = s ⊙ z + (1 − s) ⊙ m, s = sigmoid(·), (m, ·) = MADE(z, h).

    Kingma et al. 2016, eq. 13–14.
    All steps but the last flip the order of the dimensions of the result, so that the next one
    conditions the other way round.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.net = AutoregressiveNet(
            place.latent_size, place.features, place.hidden_size, outputs=2
        )
        self.reverse = place.index < place.steps - 1
        self.gate_bias = math.log(9.0)  # s starts at 0.9: near the identity, as in the paper

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        m, gate = self.net(z, h)
        gate = gate + self.gate_bias
        s = torch.sigmoid(gate)
        z = s * z + (1 - s) * m
        return (z.flip(-1) if self.reverse else z), F.logsigmoid(gate).sum(-1)


def _scale_weights(layer: nn.Linear, factor: float) -> None:
    with torch.no_grad():
        layer.weight.mul_(factor)
        if layer.bias is not None:
            layer.bias.mul_(factor)
