"""The figures of a classification, for the page Classify and the command ``classify``."""

from typing import Any

import numpy as np

from vae_core.analysis.calibrated import accuracy, confusion, nll, reliability
from vae_core.analysis.classifiers import TITLES, Classified, Way
from vae_core.basics.arrays import Floats
from vae_core.settings.options import ClassifyOptions


def record_of(found: Classified, options: ClassifyOptions, dataset: str) -> dict[str, Any]:
    """Everything about a finished classification, ready for JSON."""
    ways = {each.name: _record(each, found) for each in found.ways}
    images = {"dataset": dataset, "split": "test", "images": len(found.labels)}
    return {**images, **options.to_dict(), "ways": ways}


def quality(p: Floats, found: Classified) -> dict[str, float]:
    """Accuracy with its error, negative log-likelihood in nats, and ECE of probabilities."""
    labels = found.labels.numpy()
    share, se = accuracy(p, labels)
    calibration = reliability(p, labels).ece
    return {"accuracy": share, "accuracy_se": se, "nll": nll(p, labels), "ece": calibration}


def _record(way: Way, found: Classified) -> dict[str, Any]:
    labels, se = found.labels.numpy(), way.raw.se
    known = None if se is None else se.max(1)[np.isfinite(se).all(1)]
    return {
        "title": TITLES[way.name],
        "raw": quality(way.raw.probabilities, found),
        "temperature": way.temperature,
        "with_temperature": quality(way.softened, found),
        "confusion": confusion(way.raw.probabilities, labels).tolist(),
        "largest_se_mean": float(known.mean()) if known is not None and len(known) else None,
        "images_of_unknown_se": None if known is None else len(labels) - len(known),
        "fit_seconds": way.fit_seconds,
        "seconds_per_image": way.seconds,
    }
