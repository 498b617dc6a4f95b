"""The file of a calibration: how it is written, and what is checked when it is read.

A file may be damaged, made by a stranger, or of another version.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.analysis.classification import LatentClassifier
from vae_core.analysis.neighbours import TrainingLatents
from vae_core.basics.tensor_files import read_tensors
from vae_core.runs.checked import checked_figures
from vae_core.scoring.calibration import (
    BY_HEAD,
    CALIBRATION_VERSION,
    Calibration,
    Measured,
    rounded,
)
from vae_core.scoring.figures.complexity import complexity_corrected
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.strata import Strata
from vae_core.settings.model_config import ModelConfig

LARGEST = 500_000_000
"""Most bytes of the tensors of a calibration or of scores."""
_IN_FILE = {"complexity_corrected": "code_bits", "latent_distance": "distance"}
"""Figures that have another name in the file."""
_USUAL = tuple(field.name for field in dataclasses.fields(Strata))
_CODE = _IN_FILE["complexity_corrected"]
_IN_ORDER = torch.contiguous_format


def as_file(found: Calibration) -> bytes:
    """Return the content of the file of a calibration."""
    strata = {} if found.strata is None else vars(found.strata)
    tensors = {
        **_prefixed("held_out", _measured_tensors(found.held_out)),
        **_prefixed("latents", vars(found.latents)),
        **_prefixed("strata", strata),
        "latents.points": found.latents.points.half(),
        "classifier.weight": found.classifier.weight,
        "classifier.bias": found.classifier.bias,
    }
    about = {**found.protocol, "classifier_accuracy": found.classifier.accuracy}
    return save(tensors, {"protocol": json.dumps(about)})


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before the names; copy the tensors, because those of a file share no memory."""
    return {f"{prefix}.{n}": t.clone(memory_format=_IN_ORDER) for n, t in tensors.items()}


def _measured_tensors(found: Measured) -> dict[str, Tensor]:
    """Name the columns of a table of figures as in the file, in float32, to which they are rounded.

    The file has the code length instead of the complexity-corrected score, which follows from it.
    A code length is an integer, so rounding makes it exact.
    """
    columns = {_IN_FILE.get(name, name): found.figure(name) for name in FIGURES}
    columns[_CODE] = complexity_corrected(found.log_px, columns[_CODE]).round()
    in_file = {name: column.float() for name, column in columns.items()}
    return {**in_file, "strata": found.strata.short()}


def _measured(tensors: Mapping[str, Tensor]) -> Measured:
    """Undo :func:`_measured_tensors`. Files of earlier versions have no strata."""
    named = {name: column.double() for name, column in tensors.items()}
    columns = {**named, _CODE: complexity_corrected(named["log_px"], named[_CODE])}
    table = rounded(torch.stack([columns[_IN_FILE.get(name, name)] for name in FIGURES], 1))
    none = torch.zeros(len(table), dtype=torch.int64)
    return Measured(table, tensors["strata"].long() if "strata" in tensors else none)


def read_calibration(path: Path) -> Calibration | None:
    """Read a file of :func:`as_file`; None if another version wrote it.

    Raises:
        LookupError, TypeError, ValueError: if the file is not a calibration.
    """
    tensors, metadata = read_tensors(path, LARGEST)
    protocol = checked_figures(json.loads(metadata["protocol"]))
    if protocol["format"] != CALIBRATION_VERSION:
        return None

    def record(prefix: str) -> dict[str, Tensor]:
        found = {n: value for n, value in tensors.items() if n.startswith(f"{prefix}.")}
        return {name.partition(".")[2]: value for name, value in found.items()}

    accuracy, latents = protocol.pop("classifier_accuracy"), record("latents")
    held_out = record("held_out")
    if not {_IN_FILE.get(name, name) for name in FIGURES} <= held_out.keys():
        return None  # from an older version with fewer figures
    strata = {name: record("strata")[name].double() for name in _USUAL if record("strata")}
    return Calibration(
        _measured(held_out),
        TrainingLatents(**latents | {"points": latents["points"].float()}),
        LatentClassifier(**record("classifier"), accuracy=accuracy),
        protocol,
        Strata(**strata) if strata else None,
    )


def check_fits(found: Calibration, config: ModelConfig) -> None:
    """Check that the tensors of a calibration fit each other and a model.

    Raises:
        ValueError: otherwise.
    """
    d, classes = config.latent_size, config.classes
    latents, classifier = found.latents, found.classifier
    images, points = len(found.held_out.table), len(latents.points)
    shapes = (
        (found.held_out.table, (images, len(FIGURES))),
        (found.held_out.strata, (images,)),
        (latents.points, (points, d)),
        (latents.labels, (points,)),
        (latents.centre, (d,)),
        (latents.scale_tril, (d, d)),
        (classifier.weight, (classes, d)),
        (classifier.bias, (classes,)),
    )
    if not images or not points or any(tuple(tensor.shape) != s for tensor, s in shapes):
        raise ValueError("its tensors do not fit the model")
    labels = latents.labels
    if labels.dtype != torch.int64 or labels.min() < -1 or labels.max() >= classes:
        raise ValueError("its labels are no classes of the data set")
    if not 0 <= classifier.accuracy <= 1:
        raise ValueError("its accuracy is not between 0 and 1")
    if found.protocol.get("strata_by") == BY_HEAD and config.class_head == "none":
        raise ValueError("its strata are told by a class head, which the model does not have")
    if found.strata is not None:
        _check_strata(found.strata, found.held_out.strata, classes)


def _check_strata(found: Strata, of_images: Tensor, classes: int) -> None:
    """Check that strata are as many as the classes, and the images that are in them.

    Raises:
        ValueError: otherwise.
    """
    tables = tuple(vars(found).values())
    if any(tuple(table.shape) != (classes, len(FIGURES)) for table in tables):
        raise ValueError("its strata do not fit the model")
    if of_images.min() < 0 or of_images.max() >= classes:
        raise ValueError("its images are in strata that it does not have")
    if not all(table.isfinite().all() for table in tables):
        raise ValueError("the usual figures of its strata are not finite")
    if not all((spread > 0).all() for spread in (found.below, found.above)):
        raise ValueError("the spreads of its strata are not positive")
