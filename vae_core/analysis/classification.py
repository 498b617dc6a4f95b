"""p(y|x), the class of an image (note §1), by a class head or by a logistic regression.

The logistic regression uses the posterior mean of z. It serves models without a class head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.seeding import generator_of
from vae_core.inference.importance import RunningDensity, sample_terms
from vae_core.inference.proposals import refine
from vae_core.model.batches import rows_at_once, samples_at_once
from vae_core.model.posteriors import Proposal
from vae_core.model.vae import VAE

_MOST_ITERATIONS = 2000


@dataclass(frozen=True)
class ClassProbabilities:
    """Class probabilities of an image, if the image belongs to the data set at all.

    Attributes:
        probabilities: p(y|x) for each class, with sum 1.
        accuracy: share of held-out images that this classifier gets right, 0 to 1.
        se: Monte Carlo standard errors of the probabilities of a class head; NaN if few draws
            carry all the weight. None for a logistic regression.
    """

    probabilities: Sequence[float]
    accuracy: float
    se: Sequence[float] | None = None

    @property
    def best(self) -> int:
        """The most probable class."""
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)


@dataclass(frozen=True)
class LatentClassifier:
    """p(y|x) = softmax(W u + b) of the whitened posterior mean u.

    Attributes:
        weight: W, (classes, d), float32.
        bias: b, (classes,), float32.
        accuracy: on held-out images, 0 to 1.
    """

    weight: Tensor
    bias: Tensor
    accuracy: float

    @classmethod
    def fitted(
        cls,
        points: Tensor,
        labels: Tensor,
        held_out: Tensor,
        held_out_labels: Tensor,
        classes: int | None = None,
    ) -> "LatentClassifier":
        """Fit to training latents (N, d) with labels (N,), without those of no class (−1).

        The accuracy is measured on held-out latents (M, d) with labels (M,); it is 0 if none of
        them has a class. A class without a training image has probability 0. If no training image
        has a class, all classes are equally probable.

        Args:
            classes: number of classes; None for the largest label plus one.
        """
        classes = classes or int(labels.max()) + 1
        weight, bias = torch.zeros(classes, points.shape[1]), torch.zeros(classes)
        points, labels = points[labels >= 0], labels[labels >= 0]
        known = held_out_labels >= 0
        present = labels.unique()
        if len(present):
            bias.fill_(-torch.inf)
            bias[present] = 0
        if len(present) > 1:
            _fit(weight, bias, points, labels)
        found = cls(weight, bias, 0.0).best(held_out[known]) == held_out_labels[known]
        accuracy = float(found.double().mean()) if len(found) and len(present) else 0.0
        return cls(weight, bias, accuracy)

    def best(self, points: Tensor) -> Tensor:
        """Find the most probable class of whitened latents (B, d): (B,), int64."""
        return (points @ self.weight.T + self.bias).argmax(1)

    def __call__(self, points: Tensor) -> list[ClassProbabilities]:
        """Compute the class probabilities of whitened latents (B, d)."""
        table = (points @ self.weight.T + self.bias).softmax(1)
        return [ClassProbabilities(row, self.accuracy) for row in table.tolist()]


def _fit(weight: Tensor, bias: Tensor, points: Tensor, labels: Tensor) -> None:
    """Fit a logistic regression, and write it into the rows of its classes, two or more."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=_MOST_ITERATIONS).fit(points.numpy(), labels.numpy())
    rows = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]  # the first has 0
    weight[rows] = torch.from_numpy(model.coef_).float()
    bias[rows] = torch.from_numpy(model.intercept_).float()


@torch.no_grad()
def class_posterior(
    model: VAE, x: Tensor, n: int, seed: int = 0, *, proposal: Proposal | None = None
) -> tuple[Tensor, Tensor]:
    """p(y|x) = p(x, y) / p(x) of a model with a class head, by importance sampling.

    The draws come from a refined q(z|x) (:mod:`vae_core.inference.proposals`). Both densities are
    estimated with the same K = ``n`` draws. The ratio is Σ_k w̃_k p(y|z_k), a mean under the true
    posterior p(z|x).

    Args:
        x: images, (B, C, H, W) in [0, 1].
        n: K; the class probabilities of all draws of an image are kept.
        proposal: the refined q(z|x) of these images for this seed, if already computed.

    Returns:
        Probabilities (B, classes), float64, and their standard errors by the delta method,
        sqrt(Σ_k w̃_k² (p(y|z_k) − p(y|x))²). They are NaN for images with untrustworthy weights
        (:func:`~vae_core.inference.pareto.trustworthy`): there, so few draws count that the
        formula gives almost 0.

    Raises:
        InvalidArgument: if the model has no class head.
    """
    x = model.as_images(x)
    images = max(1, rows_at_once(model) // min(n, samples_at_once(model)))
    found = []
    for start in range(0, max(1, len(x)), images):
        chosen = slice(start, start + images)
        block = x[chosen].to(model.device)
        q = refine(model, block, seed) if proposal is None else proposal.rows(chosen)
        found.append(_class_posterior(model, block, q, n, seed))
    probabilities, se = (torch.cat(parts) for parts in zip(*found, strict=True))
    return probabilities, se


def _class_posterior(
    model: VAE, x: Tensor, q: Proposal, n: int, seed: int
) -> tuple[Tensor, Tensor]:
    generators = [generator_of(image, seed, model.device) for image in x]
    block, parts, running = samples_at_once(model), [], RunningDensity(n, q.found_modes)
    for start in range(0, n, block):
        terms = sample_terms(model, x, q, min(block, n - start), generators)
        running.add(terms.joint_form, terms.log_px_z, terms.kl.expand_as(terms.log_px_z))
        parts.append((terms.joint_form.cpu(), model.log_class_probabilities(terms.z).cpu()))
    log_w, log_py_z = (torch.cat(part).double() for part in zip(*parts, strict=True))
    weights, classes = log_w.softmax(0)[..., None], log_py_z.exp()  # (n, B, 1), (n, B, C)
    probabilities = (weights * classes).sum(0)
    se = (weights * (classes - probabilities)).square().sum(0).sqrt()
    se[~running.estimate().trusted] = torch.nan
    return probabilities, se
