"""How good probabilities of classes are: accuracy, NLL, calibration, temperature, reject curve.

Probabilities are (N, classes), labels (N,); images of no class (−1) do not count."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.arrays import Floats

BINS = 10
_SMALLEST = 1e-12
_TEMPERATURES = np.exp(np.linspace(np.log(0.1), np.log(10), 401))

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Reliability:
    """Confidence max p(y|x) against accuracy, in bins of equal width; each (bins,).

    Attributes:
        count: images of each bin.
        confidence, accuracy: means in the bin; NaN for an empty one.
    """

    count: NDArray[np.intp]
    confidence: Floats
    accuracy: Floats

    @property
    def ece(self) -> float:
        """Expected calibration error Σ_b n_b/N |accuracy − confidence| (Guo et al. 2017)."""
        some = self.count > 0
        gap = np.abs(self.accuracy[some] - self.confidence[some])
        return float((self.count[some] * gap).sum() / self.count.sum())


def _known(p: Floats, labels: Labels) -> tuple[Floats, Labels]:
    return p[labels >= 0], labels[labels >= 0]


def accuracy(p: Floats, labels: Labels) -> tuple[float, float]:
    """Share of images whose most probable class is right, and its binomial standard error."""
    p, labels = _known(p, labels)
    share = float((p.argmax(1) == labels).mean())
    return share, float(np.sqrt(share * (1 - share) / len(labels)))


def nll(p: Floats, labels: Labels) -> float:
    """Mean of −log p(y|x) in nats; probabilities below 10⁻¹² count as 10⁻¹²."""
    p, labels = _known(p, labels)
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], _SMALLEST)).mean())


def confusion(p: Floats, labels: Labels) -> NDArray[np.intp]:
    """Number of images by true class (rows) and most probable class (columns)."""
    p, labels = _known(p, labels)
    table = np.zeros((p.shape[1], p.shape[1]), np.intp)
    np.add.at(table, (labels, p.argmax(1)), 1)
    return table


def reliability(p: Floats, labels: Labels, bins: int = BINS) -> Reliability:
    """Compare confidence with accuracy."""
    p, labels = _known(p, labels)
    confidence, right = p.max(1), (p.argmax(1) == labels).astype(float)
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        sums = (np.bincount(place, each, bins) / count for each in (confidence, right))
        return Reliability(count, *sums)


def softened(p: Floats, temperature: float) -> Floats:
    """p^(1/T), normalised: T above 1 makes probabilities more even (Guo et al. 2017)."""
    log_p = np.log(np.maximum(p, _SMALLEST)) / temperature
    raised = np.exp(log_p - log_p.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def temperature_of(p: Floats, labels: Labels) -> float:
    """The temperature T from 0.1 to 10 with the lowest NLL; 1 without labels."""
    p, labels = _known(p, labels)
    if not len(labels):
        return 1.0
    found = [nll(softened(p, each), labels) for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(found))])


def reject_curve(p: Floats, labels: Labels, trust: Floats) -> tuple[Floats, Floats]:
    """Error among the images that are kept, if those with the least trust are rejected first.

    Args:
        trust: for example max p(y|x), or log p(x), (N,).

    Returns:
        The share of rejected images, 0 to below 1, and the share of errors among the others.
    """
    known = labels >= 0
    wrong = (p.argmax(1) != labels)[known][np.argsort(-trust[known], kind="stable")]
    kept = np.arange(1, len(wrong) + 1)
    return (1 - kept / len(wrong))[::-1], (wrong.cumsum() / kept)[::-1]
