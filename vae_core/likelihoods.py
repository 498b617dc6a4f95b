"""The likelihood log p(x|z): normalised, in nats, computed from logits."""

from torch import Tensor
from torch.nn import functional as F


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) = Σ_i x_i l_i − softplus(l_i) for pixels that are Bernoulli(sigmoid(l_i)).

    Args:
        x: images, shape (B, D), values in [0, 1]. Grey values give the cross-entropy, which is not
            a likelihood of binary data.
        logits: shape (n, B, D).

    Returns:
        Nats per image, shape (n, B), accumulated in float32 or better.
    """
    return bernoulli_log_likelihood_by_pixel(x, logits).sum(-1)


def bernoulli_log_likelihood_by_pixel(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x_i|z) = x_i l_i − softplus(l_i), whose sum is :func:`bernoulli_log_likelihood`.

    Returns:
        Nats per pixel, shape (n, B, D).
    """
    return x * logits - F.softplus(logits)
