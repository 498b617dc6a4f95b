"""Ways to compute p(y|x): by Bayes' rule, by a class head, and from the latents (note §1)."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vae_core.analysis.calibrated import softened, temperature_of
from vae_core.analysis.classification import class_posterior
from vae_core.analysis.latent import encode
from vae_core.basics.arrays import Floats
from vae_core.basics.errors import InvalidArgument
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.classes import class_densities, refined_class_densities
from vae_core.inference.importance import log_density
from vae_core.model.vae import VAE
from vae_core.settings.choices import Binarisation
from vae_core.settings.options import ClassifyOptions

_AT_ONCE = 50
_MOST_FITTED = 5000
TITLES = {
    "generative": "p(y) p(x|y)",
    "head": "Class head p(y|z)",
    "logistic": "Logistic regression on E[z|x]",
    "neighbours": "Nearest neighbours of E[z|x]",
}
"""Names of the ways, and their titles."""


@dataclass(frozen=True)
class Answers:
    """p(y|x) of N images by one way.

    Attributes:
        probabilities: (N, classes).
        se: their Monte Carlo standard errors, NaN where not known; None without sampling.
        log_px: log p̂(x), (N,), from the same model.
    """

    probabilities: Floats
    se: Floats | None
    log_px: Floats


Classifier = Callable[[Tensor], Answers]


@dataclass(frozen=True)
class Way:
    """A way to classify, measured on test images.

    Attributes:
        raw: answers as the model gives them.
        temperature: T that fits validation images best: p(y|x)^(1/T), normalised.
        fit_seconds, seconds: time to fit, and to classify an image of the test split.
        classify: the classifier, for other images.
    """

    name: str
    raw: Answers
    temperature: float
    fit_seconds: float
    seconds: float
    classify: Classifier

    @property
    def softened(self) -> Floats:
        """p(y|x) at the temperature, (N, classes)."""
        return softened(self.raw.probabilities, self.temperature)


@dataclass(frozen=True)
class Classified:
    """State of a classification; ``ways`` holds the ways that are finished."""

    share: float
    phase: str
    labels: Tensor
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class Source:
    """A model and the binarisation of its training."""

    model: VAE
    binarisation: Binarisation


def classify_steps(
    sources: Sequence[Source], data: Dataset, options: ClassifyOptions
) -> Iterator[Classified]:
    """Measure every way that the models offer, on test images of a data set.

    A conditional model gives p(y) p(x|y). Any other model gives the ways on its latents, and a
    class head if it has one. Temperatures are set on validation images.

    Raises:
        InvalidArgument: if the data set has no classes.
    """
    labels = data.split("test")[1][: options.limit].cpu()
    if not data.info.classes or not (labels >= 0).any():
        raise InvalidArgument(f"The data set {data.name} has no classes, so there is no p(y|x).")
    planned = [(name, source) for source in sources for name in names_of(source.model)]
    found = Classified(0.0, "", labels)
    for place, (name, source) in enumerate(planned):
        for share, way in _measured(name, source, data, options):
            ways = found.ways if way is None else (*found.ways, way)
            found = replace(
                found, share=(place + share) / len(planned), phase=TITLES[name], ways=ways
            )
            yield found


def names_of(model: VAE) -> list[str]:
    """The ways that a model offers."""
    if model.config.is_conditional:
        return ["generative"]
    return [*(["head"] if model.class_head is not None else []), "logistic", "neighbours"]


def _measured(
    name: str, source: Source, data: Dataset, options: ClassifyOptions
) -> Iterator[tuple[float, Way | None]]:
    start = time.perf_counter()
    classify = classifier(name, source, data, options)
    fit_seconds = time.perf_counter() - start
    sets = [
        evaluation_images(data, split, source.binarisation, options.seed, options.limit)
        for split in ("validation", "test")
    ]
    total, done, spent, answers = sum(len(x) for x, _ in sets), 0, 0.0, []
    for x, _ in sets:
        spent, parts = 0.0, []
        for block in x.split(_AT_ONCE):
            start = time.perf_counter()
            parts.append(classify(block))
            spent += time.perf_counter() - start  # without what the caller does in between
            done += len(block)
            yield 0.99 * done / total, None
        answers.append(_joined(parts))
    seconds = spent / len(sets[1][0])
    temperature = temperature_of(answers[0].probabilities, sets[0][1].numpy())
    yield 1.0, Way(name, answers[1], temperature, fit_seconds, seconds, classify)


def _joined(parts: Sequence[Answers]) -> Answers:
    errors = [each.se for each in parts if each.se is not None]
    return Answers(
        np.concatenate([each.probabilities for each in parts]),
        np.concatenate(errors) if errors else None,
        np.concatenate([each.log_px for each in parts]),
    )


def classifier(name: str, source: Source, data: Dataset, options: ClassifyOptions) -> Classifier:
    """Make a classifier of images (N, C, H, W) as the model sees them; fit it where needed."""
    model, n, seed = source.model, options.importance_samples, options.seed
    if name == "generative":
        return lambda x: _generative(model, x, options)
    if name == "head":
        return lambda x: _head(model, x, n, seed)
    return _on_latents(name, source, data, options)


@torch.no_grad()
def _generative(model: VAE, x: Tensor, options: ClassifyOptions) -> Answers:
    estimate = refined_class_densities if options.proposal == "refined" else class_densities
    found = estimate(model, x.to(model.device), options.importance_samples, options.seed)
    return Answers(
        _array(found.probabilities), _array(found.probabilities_se), _array(found.log_px)
    )


def _head(model: VAE, x: Tensor, n: int, seed: int) -> Answers:
    probabilities, se = class_posterior(model, x, n, seed)
    return Answers(_array(probabilities), _array(se), _log_px(model, x, n, seed))


def _on_latents(name: str, source: Source, data: Dataset, options: ClassifyOptions) -> Classifier:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    model, n, seed = source.model, options.importance_samples, options.seed
    x, labels = evaluation_images(data, "train", source.binarisation, seed, _MOST_FITTED)
    means, known = _means(model, x, seed), labels.numpy() >= 0
    scaler = StandardScaler().fit(means[known])
    k = min(options.neighbours, int(known.sum()))
    smoothing = 0.0 if name == "logistic" else 1.0
    estimator = (
        LogisticRegression(max_iter=2000) if name == "logistic" else KNeighborsClassifier(k)
    ).fit(scaler.transform(means[known]), labels.numpy()[known])
    classes = len(data.info.classes)

    def classify(x: Tensor) -> Answers:
        table = np.zeros((len(x), classes))
        points = scaler.transform(_means(model, x, seed))
        table[:, estimator.classes_] = estimator.predict_proba(points)
        if smoothing:  # one image more, divided among the classes, so that none has p = 0
            table = (k * table + smoothing / classes) / (k + smoothing)
        return Answers(table, None, _log_px(model, x, n, seed))

    return classify


def _means(model: VAE, x: Tensor, seed: int) -> Floats:
    return encode(model, x, seed).mean.double().numpy()


@torch.no_grad()
def _log_px(model: VAE, x: Tensor, n: int, seed: int) -> Floats:
    return _array(log_density(model, x.to(model.device), n, seed).log_px)


def _array(values: Tensor) -> Floats:
    return values.detach().double().cpu().numpy()
