"""p(y|x) by logistic regression on the posterior mean of z (note §1, the discriminative route)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_ITERATIONS = 2000


@dataclass(frozen=True)
class ClassProbabilities:
    """What an image would be if it were of the data set: no verdict on whether it is.

    Attributes:
        probabilities: p(y|x) for each class, adding up to 1.
        accuracy: the share of held-out images that this classifier gets right, 0 to 1.
    """

    probabilities: Sequence[float]
    accuracy: float

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
        cls, points: Tensor, labels: Tensor, held_out: Tensor, held_out_labels: Tensor
    ) -> "LatentClassifier":
        """Fitted to training latents (N, d) and measured on held-out ones (M, d), classes (N,) and
        (M,), of which there are three or more."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(max_iter=_MOST_ITERATIONS).fit(points.numpy(), labels.numpy())
        classes = int(labels.max()) + 1
        weight, bias = torch.zeros(classes, points.shape[1]), torch.full((classes,), -torch.inf)
        weight[model.classes_] = torch.from_numpy(model.coef_).float()
        bias[model.classes_] = torch.from_numpy(model.intercept_).float()
        accuracy = model.score(held_out.numpy(), held_out_labels.numpy())
        return cls(weight, bias, float(accuracy))

    def __call__(self, points: Tensor) -> list[ClassProbabilities]:
        """Class probabilities of whitened latents (B, d)."""
        table = (points @ self.weight.T + self.bias).softmax(1)
        return [ClassProbabilities(row, self.accuracy) for row in table.tolist()]
