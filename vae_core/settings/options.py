"""Every option of the commands that measure a trained model.

The command line, the controls of the pages and "Show the code" are made from these classes, as
forms are from :mod:`vae_core.settings.config`.
"""

from dataclasses import dataclass
from typing import Literal

from vae_core.settings.choices import Frames, ProposalName
from vae_core.settings.data_sets import Split
from vae_core.settings.fields import Checked, setting

AS_TRAINED = "as trained"
Preparation = Literal["auto", "yes", "no"]
BinarisationOption = Literal["as trained", "dynamic", "threshold", "none"]

MAX_IMPORTANCE_SAMPLES = 1_000_000
FALSE_ALARMS = 0.04
"""The usual false-alarm rate of a verdict."""
FALSE_ALARM_BOUNDS = (0.001, 0.2)
"""The smallest and the largest false-alarm rate that can be chosen."""
_SAMPLES = (1, MAX_IMPORTANCE_SAMPLES)
_SEEDS = (0, 2**31 - 1)
_COUNTS = (1, 10**9)
_COSTS = (1e-6, 1e9)
_MORE_SAMPLES = "More samples bring the estimate closer to log p(x), from below; they take longer."
_BINARISATION = (
    "How grey pixels become 0 or 1; likelihoods of different protocols cannot be compared."
)


def _binarisation(more: str = "") -> BinarisationOption:
    return setting(AS_TRAINED, "Binarisation", f"{_BINARISATION}{more}")


def _samples(default: int) -> int:
    return setting(default, "Importance samples K", _MORE_SAMPLES, bounds=_SAMPLES)


def _limit() -> int | None:
    return setting(
        None,
        "Number of images",
        "Use the first images of the split, at most this many.",
        bounds=(1, 10**9),
    )


def _seed() -> int:
    return setting(0, "Seed", "The same seed gives the same draws.", bounds=_SEEDS)


def _step(label: str, help: str) -> Preparation:
    return setting("auto", label, f"{help} Auto does so where the picture needs it.")


def _invert() -> Preparation:
    return _step("Invert", "Makes dark ink on a light ground light ink on a dark one.")


def _contrast() -> Preparation:
    return _step("Contrast", "Makes the ground black and the ink white.")


def _crop() -> Preparation:
    return _step("Crop", "Cuts to the ink and gives it the size it has in the training images.")


def _centre() -> Preparation:
    return _step("Centre", "Moves the ink to where it is in the training images.")


def _frames() -> Frames:
    return setting(
        "first",
        "Frames",
        "What is scored of animated and multi-page files (GIF, TIFF, WebP, PNG): the first frame, "
        "or every frame as an image of its own.",
    )


@dataclass(frozen=True)
class ScoreOptions(Checked):
    """How images of one's own are prepared and scored."""

    importance_samples: int = _samples(1000)
    binarisation: BinarisationOption = _binarisation(" Only the one of training gives a verdict.")
    invert: Preparation = _invert()
    contrast: Preparation = _contrast()
    crop: Preparation = _crop()
    centre: Preparation = _centre()
    frames: Frames = _frames()
    false_alarms: float | None = setting(
        None,
        "False alarms",
        "Share of images of the data that the verdict may call unlike it, 0.001 to 0.2. A smaller "
        f"share needs more held-out images. Without it: the model's operating point, else "
        f"{FALSE_ALARMS}.",
        bounds=FALSE_ALARM_BOUNDS,
    )
    seed: int = _seed()


@dataclass(frozen=True)
class OperatingPointOptions(Checked):
    """How a false-alarm rate is chosen with images that are known to be good or bad."""

    cost_miss: float = setting(
        1.0,
        "Cost of a miss",
        "What it costs if a bad image is not noticed, in any unit.",
        bounds=_COSTS,
    )
    cost_alarm: float = setting(
        1.0,
        "Cost of a false alarm",
        "What it costs if a good image is called unlike the training data, in the same unit.",
        bounds=_COSTS,
    )
    share_bad: float = setting(
        0.01,
        "Share of bad images",
        "How many of all images are bad where the model is used, as a fraction: 0.01 is 1 in 100. "
        "The groups that you give may have any sizes.",
        bounds=(1e-6, 1 - 1e-6),
    )
    false_alarms: float | None = setting(
        None,
        "False alarms",
        "Measure this false-alarm rate, 0.001 to 0.2, instead of choosing one.",
        bounds=FALSE_ALARM_BOUNDS,
    )
    by: str = setting("", "Saved by", "Your name, to be saved with the rate; may be empty.")
    invert: Preparation = _invert()
    contrast: Preparation = _contrast()
    crop: Preparation = _crop()
    centre: Preparation = _centre()
    frames: Frames = _frames()
    seed: int = _seed()


@dataclass(frozen=True)
class EvaluateOptions(Checked):
    """Which images a model is evaluated on, and how log p(x) is estimated."""

    split: Split = setting("test", "Split", "Which part of the data set.")
    limit: int | None = _limit()
    binarisation: BinarisationOption = _binarisation()
    importance_samples: int = _samples(500)
    proposal: ProposalName = setting(
        "encoder",
        "Proposal",
        "What importance samples are drawn from: the encoder's q(z|x), or a mixture fitted to "
        "each image, which brings log p(x) and its error closer to the truth.",
    )
    se: float | None = setting(
        None,
        "Standard error (nats)",
        "Draw until the standard error of log p(x) of every image is at most this many nats, "
        f"instead of K samples each; at most {MAX_IMPORTANCE_SAMPLES:,} samples an image.",
        bounds=(1e-9, 1e9),
    )
    seed: int = _seed()


@dataclass(frozen=True)
class GapOptions(Checked):
    """Which images the gap log p(x) − ELBO is measured on, and how log p(x) is estimated."""

    split: Split = setting("test", "Split", "Which part of the data set.")
    limit: int | None = _limit()
    binarisation: BinarisationOption = _binarisation()
    importance_samples: int = _samples(5000)
    seed: int = _seed()


@dataclass(frozen=True)
class ClassifyOptions(Checked):
    """How images are classified, and on how many images that is measured."""

    limit: int = setting(
        200,
        "Number of images",
        "Test images, at most this many, and as many validation images for the temperature.",
        bounds=(10, 10**9),
    )
    importance_samples: int = _samples(500)
    proposal: ProposalName = setting(
        "refined",
        "Proposal",
        "What importance samples of p(x|y) are drawn from: a mixture fitted to each image, for "
        "classes that may matter, or the encoder's q(z|x, y), which is faster and less exact.",
    )
    neighbours: int = setting(
        10, "Neighbours", "Training images that nearest neighbours ask.", bounds=(1, 1000)
    )
    seed: int = _seed()


@dataclass(frozen=True)
class CalibrateOptions(Checked):
    """Which held-out images the scores of a run are calibrated by."""

    limit: int = setting(
        500,
        "Number of images",
        "Validation images, at most this many. With 500 a verdict may be two or three times as "
        "strict for one class as for another; with some hundreds of each class about as strict.",
        bounds=(1, 10**9),
    )
    seed: int = _seed()


@dataclass(frozen=True)
class DetectOptions(Checked):
    """Which images the scores of a run are tried on."""

    limit: int = setting(
        500,
        "Number of images",
        "Test images, and as many of each foreign kind, at most this many.",
        bounds=(1, 10**9),
    )
    seed: int = _seed()


def binarisation_asked_for(option: str, trained: str) -> str:
    """The binarisation that an option means for a model trained with ``trained``."""
    return trained if option == AS_TRAINED else option
