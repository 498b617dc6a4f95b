"""Information in each latent dimension: its KL to the prior and its active variance."""

from torch import Tensor

ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, §5.2
Moments = tuple[Tensor, Tensor]
"""Mean and variance of each z_i under q(z|x), (B, d), or mean and sd under p(z), (d,)."""


def dimension_figures(prior: Moments, first: Moments, second: Moments) -> tuple[Tensor, Tensor]:
    """Compute the mean KL to the prior and the variance of E[z_i|x] for each latent dimension.

    The inputs are the moments of the prior, and two independent estimates of the moments of q(z|x).
    For Gaussians the moments are exact, and so is the result. For flows they come from a few draws,
    whose noise alone would make every dimension look active. Products of independent estimates
    cancel this noise.

    Returns:
        KL(N(mean_i, variance_i) ‖ p(z_i)) averaged over images, in nats, and the variance of the
        posterior mean over images, both (d,), float64. For flows, and for priors other than the
        standard normal, it is the KL of the Gaussians with the same moments. The sum over
        dimensions is the full KL only if the dimensions are independent under q(z|x).
    """
    centre, scale = (each.detach().cpu().double() for each in prior)
    (mean, variance), (other_mean, other_variance) = (
        ((m.cpu().double() - centre) / scale, v.cpu().double() / scale**2)
        for m, v in (first, second)
    )
    pooled = (variance + other_variance) / 2
    # The bias of the log of a sample variance halves as the draws double: extrapolate to 0.
    log_variance = 2 * pooled.log() - (variance.log() + other_variance.log()) / 2
    kl = 0.5 * (mean * other_mean + pooled - 1 - log_variance)
    products = scale**2 * (mean - mean.mean(0)) * (other_mean - other_mean.mean(0))
    return kl.mean(0), products.sum(0) / (len(mean) - 1)
