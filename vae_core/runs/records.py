"""Read and write the records of a run: calibration, detection report and held-out scores.

Each of these files may be damaged, or belong to other weights or another version of the program.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from vae_core.basics.errors import is_out_of_memory
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import NotAPlainFile, kind_of, open_plain, read_json
from vae_core.basics.progress import Step, mapped
from vae_core.basics.tensor_files import TensorFileError, read_header, read_tensors
from vae_core.basics.text import as_sentence, printable
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.calibration_file import LARGEST, as_file, check_fits, read_calibration
from vae_core.runs.checked import checked_figures
from vae_core.runs.run import (
    CALIBRATION_FILE,
    DETECTION_FILE,
    EVALUATION_FILE,
    HELD_OUT_FILE,
    WEIGHTS_FILE,
    Run,
    RunError,
)
from vae_core.scoring.calibration import (
    CALIBRATION_FORMAT,
    IMAGES,
    TRAINING_IMAGES,
    Calibration,
    calibration_steps,
)
from vae_core.scoring.detection import SCORES, Detection, DetectionReport, Separation

_DETECTION_FORMAT = 1
_MOST_KINDS = 100
_SCORES_PROTOCOL = {"binarisation": str, "importance_samples": int, "seed": int}
_REMEDY = "Only the colours of the latent map need it; scores do without."

T = TypeVar("T")


def model_digest(folder: Path) -> str:
    """Digest of the weights in a run's folder. It stays the same when the folder is copied."""
    read_header(folder / WEIGHTS_FILE)  # refuses a file of another size than its tensors have
    with open_plain(folder / WEIGHTS_FILE) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def is_current(protocol: Mapping[str, Any], folder: Path) -> bool:
    """Whether a calibration's protocol names the weights in a run's folder and this version."""
    try:
        current = {**CALIBRATION_FORMAT, "model": model_digest(folder)}
    except (OSError, TensorFileError):
        return False
    return all(protocol.get(name) == value for name, value in current.items())


# ---- calibration


def calibrate_steps(
    run: Run,
    model: VAE,
    data: Dataset,
    images: int = IMAGES,
    seed: int = 0,
    training_images: int = TRAINING_IMAGES,
) -> Iterator[Step[Calibration]]:
    """Calibrate a finished run, with images binarised as in training.

    See :func:`vae_core.scoring.calibration.calibration_steps`.

    Yields:
        The share of the work that is done; the last step has the calibration. The protocol of the
        calibration names the weights in the run's folder.
    """

    def of_this_run(found: Calibration) -> Calibration:
        protocol = {**found.protocol, "model": model_digest(run.folder)}
        return dataclasses.replace(found, protocol=protocol)

    binarisation = run.config.train.binarisation
    steps = calibration_steps(model, data, binarisation, images, seed, training_images)
    return mapped(steps, of_this_run)


def calibration_of(run: Run) -> Calibration | None:
    """Read the calibration of a run.

    Returns None if the file does not exist, or belongs to other weights or another version.

    Raises:
        RunError: if the file is damaged.
    """
    model = run.config.model

    def read(path: Path) -> Calibration | None:
        calibration = read_calibration(path)
        if calibration is not None:
            check_fits(calibration, model)
        return calibration

    found = _read_record(run, CALIBRATION_FILE, read, _command_to_repeat("calibrate"))
    return found if found and is_current(found.protocol, run.folder) else None


def write_calibration(found: Calibration, folder: Path) -> None:
    """Save a calibration in a run's folder, in one step."""
    replace_plain(folder / CALIBRATION_FILE, as_file(found))


# ---- detection


def detection_of(run: Run) -> DetectionReport | None:
    """Read the detection report of a run.

    Returns None if the file does not exist, or belongs to other weights or another version.

    Raises:
        RunError: if the file is damaged.
    """
    found = _read_record(run, DETECTION_FILE, _read_detection, _command_to_repeat("detect"))
    return found if found and is_current(found.calibration, run.folder) else None


def write_detection(found: DetectionReport, folder: Path) -> None:
    """Save a detection report in a run's folder, in one step.

    Raises:
        OSError: if the file cannot be written.
    """
    about = {"format": _DETECTION_FORMAT, **dataclasses.asdict(found)}
    text = json.dumps(about, indent=1, allow_nan=False) + "\n"
    replace_plain(folder / DETECTION_FILE, text)


def _read_detection(path: Path) -> DetectionReport | None:
    """Read a file of :func:`write_detection`; None if another version wrote it.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: if the file is not a detection report.
    """
    written = read_json(path)
    if written["format"] != _DETECTION_FORMAT or _lacks_scores(written["kinds"]):
        return None
    if len(written["kinds"]) > _MOST_KINDS:
        raise ValueError("it has too many kinds of images")
    kinds = {
        printable(kind, 80): Detection(
            _count(found["images"]),
            _share(found["called_unlike"]),
            {score: _separation(found["scores"][score]) for score in SCORES},
        )
        for kind, found in written["kinds"].items()
    }
    own, about = _count(written["own_images"]), checked_figures(written["calibration"])
    missing = {"split", "images", "importance_samples"} - about.keys()
    if missing or not kinds:
        raise ValueError(f"it has no {' or '.join(sorted(missing)) or 'kind of images'}")
    shares = _share(written["false_alarms"]), _share(written["level"])
    return DetectionReport(own, *shares, kinds, int(written["seed"]), about)


def _lacks_scores(kinds: Mapping[str, Any]) -> bool:
    """Whether the report comes from an older version with fewer scores."""
    return any(set(SCORES) - found["scores"].keys() for found in kinds.values())


def _separation(written: Mapping[str, Any]) -> Separation:
    return Separation(*(_share(written[field.name]) for field in dataclasses.fields(Separation)))


def _share(value: Any) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{value:.3g} is not between 0 and 1")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not 1 <= value <= 10**9:
        raise ValueError(f"{value:.3g} is not a number of images")
    return int(value)


# ---- held-out scores


@dataclass(frozen=True)
class HeldOut:
    """Scores of test images in nats, and their protocol.

    Attributes:
        log_px: log p̂(x), (N,).
        elbo: the ELBO of the same images, (N,); None if it was not kept.
    """

    log_px: Tensor
    protocol: dict[str, Any]
    elbo: Tensor | None = None


def held_out_of(run: Run) -> HeldOut | None:
    """Read the held-out scores of a finished run; None before it is finished.

    Raises:
        RunError: if the scores or their protocol are damaged.
    """
    protocol = run.evaluation()
    if protocol is None:
        return None
    scores = _read_record(run, HELD_OUT_FILE, _read_scores, _REMEDY)
    if scores is None:
        return None
    missing = [n for n, kind in _SCORES_PROTOCOL.items() if not isinstance(protocol.get(n), kind)]
    if missing:
        raise RunError(
            f"{EVALUATION_FILE} of the run {printable(run.id)} is damaged: it does not say the "
            f"{' or the '.join(missing)}. {_REMEDY}"
        )
    return HeldOut(scores["log_px"], protocol, scores.get("elbo"))


def _read_scores(path: Path) -> dict[str, Tensor]:
    tensors = read_tensors(path, LARGEST)[0]
    scores = {name: tensors[name].double() for name in ("log_px", "elbo") if name in tensors}
    log_px = scores["log_px"]
    if log_px.ndim != 1 or not len(log_px):
        raise ValueError("it contains no scores")
    if scores.get("elbo", log_px).shape != log_px.shape:
        raise ValueError("its tensors do not have the same length")
    return scores


# ---- files


def write_record(found: Calibration | DetectionReport, folder: Path) -> None:
    """Save a calibration or a detection report in a run's folder, in one step.

    Raises:
        OSError: if the file cannot be written.
    """
    if isinstance(found, Calibration):
        write_calibration(found, folder)
    else:
        write_detection(found, folder)


def _read_record(run: Run, name: str, read: Callable[[Path], T], remedy: str) -> T | None:
    """Read an optional file of a run folder; None if it does not exist.

    Args:
        remedy: added to the error message; tells the user how to recreate the file.

    Raises:
        RunError: if the file is damaged.
    """
    try:
        if kind_of(run.folder / name) == "a folder":
            return None  # where no such file can be kept either; writing says so
        return read(run.folder / name)
    except FileNotFoundError:
        return None
    except (
        AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError, OSError
    ) as error:  # fmt: skip
        if is_out_of_memory(error):
            raise
        why = as_sentence(f"{name} of the run {printable(run.id)} is damaged: {_reason(error)}")
        raise RunError(f"{why} {remedy}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, NotAPlainFile) or not isinstance(error, OSError):
        return printable(str(error), 300)
    return error.strerror or "it cannot be read"


def _command_to_repeat(command: str) -> str:
    return f"Make it again with `python -m vae_core {command}`."
