"""Pixels of 8 bits in grey or colour: mixtures of discretised logistics, one for each pixel.

Salimans, Karpathy, Chen & Kingma 2017 (PixelCNN++, arXiv 1701.05517). Shapes here: C channels and S
places (H·W), so D = C·S; M components.
"""

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor

from vae_core.model.likelihoods import logistic
from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.likelihoods.discretised_logistic import place_with_mean, within_limits
from vae_core.settings.config import ModelConfig

_FIRST_LOG_SCALE = math.log(0.15)  # of a new model, whose components lie over this range
_FIRST_RANGE = 0.5
_FIRST_SCALES = (-1.0, 0.6)  # log s of the components beside that of one logistic distribution
_STRONGEST_LINK = 0.97


class _Parts(NamedTuple):
    """The outputs of the decoder by their meaning.

    Attributes:
        logits: of the components, (…, S, M).
        means: m, (…, C, S, M).
        log_scales: log s, (…, C, S, M).
        links: for each pair of channels (c, earlier), (…, pairs, S, M).
    """

    logits: Tensor
    means: Tensor
    log_scales: Tensor
    links: Tensor


class DiscretisedLogisticMixture(Likelihood):
    """The 256 values of 8-bit pixels, grey or colour: an exact probability.

    One component k holds for all channels of a pixel: p = Σ_k π_k ∏_c P_kc(v_c), with discretised
    logistics P_kc. The mean of green moves with the red of the same pixel, and the mean of blue
    with red and green: m_g + tanh(α) x_r and m_b + tanh(β) x_r + tanh(γ) x_g, for x from −1 to 1.
    The logits of the components are averages over the channels' outputs, because each channel of a
    pixel has the same number of outputs.
    """

    support = (0.0, 1.0)

    def __init__(self, channels: int = 1, components: int = 5) -> None:
        super().__init__()
        self.channels, self.components = channels, components
        self.pairs = [(c, earlier) for c in range(channels) for earlier in range(c)]
        self.parameters_per_pixel = components * (3 + channels // 2)
        self.location = slice(components, 2 * components)

    @classmethod
    def of(cls, config: ModelConfig) -> Self:
        return cls(config.image_shape[0], config.mixture_components)

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p of each channel given the earlier channels of the pixel; the sum is log p(x|z)."""
        log_masses, log_shares = self._log_masses(x, outputs)
        so_far = log_shares[..., None, :, :] + log_masses.cumsum(-3)
        joint = so_far.logsumexp(-1)  # (n, B, C, S)
        terms = joint.diff(dim=-2, prepend=torch.zeros_like(joint[..., :1, :]))
        return terms.flatten(-2)

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        log_masses, log_shares = self._log_masses(x, outputs)
        return (log_shares + log_masses.sum(-3)).logsumexp(-1).sum(-1)

    def mean(self, outputs: Tensor) -> Tensor:
        """E[x_i]; a channel's mean is taken at the expected values of the earlier channels.

        This is exact for grey, and for colours whose distribution does not reach 0 or 255.
        """
        parts = self._parts(outputs)
        found: list[Tensor] = []
        for channel in range(self.channels):
            at = self._moved_mean(parts, channel, found)
            found.append(logistic.mean_value(at, _log_scale(parts, channel)))
        shares = parts.logits.softmax(-1)
        means = torch.stack([(shares * each).sum(-1) for each in found], -2)
        return logistic.pixels_of(means).flatten(-2)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = self._parts(outputs)
        logits = parts.logits
        uniform = torch.rand(
            logits.shape, generator=generator, dtype=logits.dtype, device=logits.device
        )
        component = (logits - (-uniform.log()).log()).argmax(-1, keepdim=True)  # Gumbel's way
        parts = _Parts(logits, *(_taken(each, component) for each in parts[1:]))
        values: list[Tensor] = []
        for channel in range(self.channels):
            at = self._moved_mean(parts, channel, values)
            values.append(logistic.sample_values(at, _log_scale(parts, channel), generator))
        return logistic.pixels_of(torch.cat(values, -1).mT).flatten(-2)

    def initial_outputs(self, mean: Tensor) -> Tensor:
        spread = torch.linspace(-1, 1, self.components).to(mean) * _FIRST_RANGE
        log_scale = torch.full_like(spread, _FIRST_LOG_SCALE)
        if self.components == 1:
            spread = torch.zeros_like(spread)

        def mean_at(place: Tensor) -> Tensor:
            at = place[..., None] + spread
            return logistic.pixels_of(logistic.mean_value(at, log_scale.expand_as(at))).mean(-1)

        means = place_with_mean(mean, mean_at)[..., None] + spread
        others = means.new_zeros(*mean.shape, self.components * (self.channels // 2))
        return torch.cat([torch.zeros_like(means), means, log_scale.expand_as(means), others], -1)

    def start_from(self, mean: Tensor, left: Tensor) -> Tensor:
        by_earlier, log_scale = _regressions(left)
        shape = (*mean.shape, self.components)
        means = (2 * mean - 1) - torch.einsum("cd,d...->c...", by_earlier, 2 * mean - 1)
        offsets = torch.linspace(*_FIRST_SCALES, self.components).to(mean)
        log_scales = log_scale[:, None, None, None] + offsets
        links = mean.new_zeros(*shape[:-1], self.components * (self.channels // 2))
        for index, (own, earlier) in enumerate(self.pairs):
            links[index] = by_earlier[own, earlier].atanh()
        parts = (mean.new_zeros(shape), means[..., None].expand(shape), log_scales.expand(shape))
        return torch.cat([*parts, links], -1)

    def location_change(self, mean: Tensor, left: Tensor, directions: Tensor) -> Tensor:
        by_earlier, _ = _regressions(left)
        return 2 * (directions - torch.einsum("cd,kd...->kc...", by_earlier, directions))

    # ---- curvature

    def pull_back(self, x: Tensor, outputs: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        slope = self._slope(x, outputs)
        factors = [each.flatten(2) for each in self._factors(x, outputs, columns)]
        curvature = sum((each @ each.mT for each in factors[1:]), factors[0] @ factors[0].mT)
        return (columns.flatten(2) @ slope.flatten(1)[..., None])[..., 0], curvature

    def slope_and_curvature(self, x: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative, and the part of the curvature that belongs to each value by itself.

        The curvature also links the channels of a pixel, as :meth:`pull_back` takes into account.
        """
        size = self.parameters_per_pixel
        blocks = []
        for channel in range(self.channels):
            unit = outputs.new_zeros(
                1, size, self.channels, outputs.shape[1] // self.channels, size
            )
            unit[0, :, channel] = torch.eye(size).to(outputs)[:, None]
            factors = self._factors(x, outputs, unit.flatten(2, 3))
            by_place = torch.cat([each.movedim(-2, 1).flatten(3) for each in factors], -1)
            blocks.append(by_place @ by_place.mT)  # (N, S, P, P)
        return self._slope(x, outputs), torch.stack(blocks, 1).flatten(1, 2)

    def _slope(self, x: Tensor, outputs: Tensor) -> Tensor:
        with torch.enable_grad():
            at = outputs.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self(x, at[None]).sum(), at)
        return slope

    def _factors(self, x: Tensor, outputs: Tensor, columns: Tensor) -> list[Tensor]:
        """Factors F of a curvature Σ F Fᵀ along the columns (N, d, D, P); each is (N, d, …, S, M).

        It is the curvature for known components, averaged over their probabilities given x: the
        matrix that EM would use (Dempster, Laird & Rubin 1977). It is positive semi-definite, and
        at least as large as the curvature of the mixture in expectation.
        """
        log_masses, log_shares = self._log_masses(x, outputs)
        parts, moves = self._parts(outputs), self._parts(columns)
        weight = (log_shares + log_masses.sum(-3)).softmax(-1).sqrt()[:, None, None]
        earlier = self._values(x)
        steps = []
        for channel in range(self.channels):
            step = moves.means[..., channel, :, :]
            for index, before in self._links(channel):
                bend = 1 - parts.links[..., index, :, :].tanh().square()
                by = bend * logistic.signed(earlier[before])[..., None]
                step = step + by[:, None] * moves.links[..., index, :, :]
            steps.append(step)
        by_mean = torch.stack(steps, -3)
        by_log_scale = moves.log_scales * within_limits(parts.log_scales)[:, None]
        at = (torch.stack(earlier, -2)[..., None], *self._moments(parts, earlier))
        found = [
            weight * (f[:, None] * by_mean + g[:, None] * by_log_scale)
            for f, g in logistic.curvature_factors(*at)
        ]
        shares = log_shares.exp()[:, None]
        centred = moves.logits - (shares * moves.logits).sum(-1, keepdim=True)
        return [*found, shares.sqrt() * centred]

    # ---- outputs and their meaning

    def _parts(self, outputs: Tensor) -> _Parts:
        count = self.components
        by_channel = outputs.unflatten(-2, (self.channels, -1))
        logits, means, log_scales, links = by_channel.split(
            [count, count, count, count * (self.channels // 2)], -1
        )
        if self.pairs:  # each channel has outputs for some of the pairs
            links = links.unflatten(-1, (-1, count)).movedim(-2, -3).flatten(-4, -3)
        else:
            links = means[..., :0, :, :]
        return _Parts(logits.mean(-3), means, log_scales, links)

    def _values(self, x: Tensor) -> list[Tensor]:
        """Values 0 to 255 of each channel, (…, S)."""
        return list(logistic.values_of(x).unflatten(-1, (self.channels, -1)).unbind(-2))

    def _links(self, channel: int) -> list[tuple[int, int]]:
        """Index among the pairs, and the earlier channel, for all that a channel depends on."""
        return [(i, before) for i, (own, before) in enumerate(self.pairs) if own == channel]

    def _moved_mean(self, parts: _Parts, channel: int, values: list[Tensor]) -> Tensor:
        """m of a channel for given values of the earlier channels, which broadcast to (…, S, M)."""
        mean = parts.means[..., channel, :, :]
        for index, before in self._links(channel):
            mean = mean + parts.links[..., index, :, :].tanh() * logistic.signed(values[before])
        return mean

    def _moments(self, parts: _Parts, values: list[Tensor]) -> tuple[Tensor, Tensor]:
        known = [each[..., None] for each in values]
        means = [self._moved_mean(parts, channel, known) for channel in range(self.channels)]
        return torch.stack(torch.broadcast_tensors(*means), -3), parts.log_scales.clamp(
            *logistic.LOG_SCALES
        )

    def _log_masses(self, x: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """log P_kc(v_c), (…, C, S, M), and log π_k, (…, S, M)."""
        parts, values = self._parts(outputs), self._values(x)
        at = torch.stack(values, -2)[..., None]
        return logistic.log_mass(at, *self._moments(parts, values)), parts.logits.log_softmax(-1)


def _regressions(left: Tensor) -> tuple[Tensor, Tensor]:
    """Regress each channel on the earlier ones, for a covariance (C, C) of pixels in [0, 1].

    Returns:
        The coefficients of the earlier channels, (C, C), within what a link can be; and log s of
        what they leave, (C), on the axis −1 to 1.
    """
    by_earlier, variances = torch.zeros_like(left), left.diagonal().clone()
    some = logistic.ROUNDING_VARIANCE * torch.eye(len(left)).to(left)
    for c in range(1, len(left)):
        known, shared = (left + some)[:c, :c], left[:c, c]
        by = torch.linalg.solve(known, shared).clamp(-_STRONGEST_LINK, _STRONGEST_LINK)
        by_earlier[c, :c] = by
        variances[c] += by @ known @ by - 2 * by @ shared
    return by_earlier, logistic.log_scale_of(4 * variances.clamp_min(logistic.ROUNDING_VARIANCE))


def _taken(each: Tensor, component: Tensor) -> Tensor:
    """Take one component (…, S, 1) of (…, rows, S, M): (…, rows, S, 1)."""
    rows = each.shape[-3]
    wanted = component[..., None, :, :].expand(*component.shape[:-2], rows, -1, 1)
    return each.gather(-1, wanted)


def _log_scale(parts: _Parts, channel: int) -> Tensor:
    return parts.log_scales[..., channel, :, :].clamp(*logistic.LOG_SCALES)
