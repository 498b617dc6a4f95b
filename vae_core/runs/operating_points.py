"""The operating point of a model, kept beside its run: read, written and forgotten.

The file lies in the folder of the run. That of a pretrained model, or of a run whose folder cannot
be written, lies in the folder ``.operating-points`` of the run store. It belongs to weights and a
calibration; with any others, the usual false-alarm rate is used. Nothing here needs PyTorch.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from vae_core.basics.files import replace_plain
from vae_core.basics.paths import pretrained_folder, runs_folder
from vae_core.basics.plain_files import kind_of, open_plain, read_json
from vae_core.basics.text import as_sentence, printable
from vae_core.runs.run import (
    CALIBRATION_FILE,
    OPERATING_POINT_FILE,
    WEIGHTS_FILE,
    Run,
    RunError,
)
from vae_core.scoring.operating_point import WAYS, Costs, KnownImages, OperatingPoint
from vae_core.scoring.roc import Rate
from vae_core.settings.fields import ConfigError
from vae_core.settings.options import FALSE_ALARM_BOUNDS, FALSE_ALARMS, OperatingPointOptions

FOLDER = ".operating-points"
"""Folder in the run store."""
LONGEST_NAME = 80
"""Most characters of the name of whoever saved an operating point."""
_FORMAT = 1
_MOST_BYTES = 20_000
_MARK = 16  # hexadecimal digits
_MARKED = {CALIBRATION_FILE: 500_000_000, WEIGHTS_FILE: 4_000_000_000}
"""The files that an operating point belongs to, and the most bytes of each."""
_MOST_IMAGES = 10**9

RateSource = Literal["option", "operating point", "default"]


@dataclass(frozen=True)
class UsualRate:
    """The false-alarm rate of a model's verdicts where no other is given.

    Attributes:
        source: ``operating point`` or ``default``.
        point: the operating point, if the rate is its.
        note: a sentence that says why a kept operating point is not used; empty if it is, or if
            there is none.
    """

    false_alarms: float = FALSE_ALARMS
    source: RateSource = "default"
    point: OperatingPoint | None = None
    note: str = ""


def usual_rate(run: Run) -> UsualRate:
    """Find the false-alarm rate of a model's verdicts: its operating point's, else the default."""
    try:
        point = _kept(run)
    except RunError as error:
        return UsualRate(note=str(error))
    if point is None:
        return UsualRate()
    if point.mark != mark_of(run):
        return UsualRate(
            note="The operating point of this model belongs to other weights or another "
            "calibration, so it is not used."
        )
    return UsualRate(point.false_alarms, "operating point", point)


def mark_of(run: Run) -> str:
    """Digest of the weights and the calibration in a run's folder; empty if it has not both."""
    digest = hashlib.sha256()
    try:
        for name, most in _MARKED.items():
            with open_plain(run.folder / name) as file:
                if os.fstat(file.fileno()).st_size > most:
                    return ""
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return ""
    return digest.hexdigest()[:_MARK]


def folder() -> Path:
    """The folder of operating points that are not in the folders of their runs."""
    return runs_folder() / FOLDER


def places(run: Run) -> tuple[Path, ...]:
    """The files where the operating point of a run may be, the preferred one first."""
    return *_beside(run), folder() / f"{mark_of(run) or 'none'}.json"


def _beside(run: Run) -> tuple[Path, ...]:
    is_pretrained = run.folder.resolve().parent == pretrained_folder()
    return () if is_pretrained else (run.folder / OPERATING_POINT_FILE,)


def keep_operating_point(run: Run, make: Callable[[str, str], OperatingPoint]) -> Path:
    """Keep an operating point of a run, in place of any former one.

    Args:
        make: makes it of the time and of the mark of the run.

    Returns:
        The file.

    Raises:
        RunError: if the calibration of the run is not in its folder.
        OSError: if it can be written nowhere, or the former one cannot be replaced.
    """
    mark = mark_of(run)
    if not mark:
        raise RunError(
            "The operating point cannot be kept, because the calibration that it belongs to is not "
            f"in the folder of {printable(run.name)}."
        )
    made = make(datetime.now(UTC).isoformat(timespec="seconds"), mark)
    text = json.dumps(as_json(made), indent=1, allow_nan=False) + "\n"
    candidates = places(run)
    for path in candidates:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_plain(path, text)
        except OSError:
            if path == candidates[-1] or _is_kept_at(path):
                raise
            continue
        _remove(each for each in candidates if each != path)
        return path
    raise AssertionError("there is always a place")


def forget_operating_point(run: Run) -> bool:
    """Remove the operating point of a run. Return whether there was one.

    Raises:
        OSError: if it cannot be removed.
    """
    return _remove(places(run))


def _remove(paths: Iterable[Path]) -> bool:
    found = [path for path in paths if _is_kept_at(path)]
    for path in found:
        path.unlink()
    return bool(found)


def _is_kept_at(path: Path) -> bool:
    return kind_of(path) not in ("", "a folder")


def as_json(point: OperatingPoint) -> dict[str, Any]:
    """An operating point as it is written, with the format of the file."""
    return {"format": _FORMAT, **dataclasses.asdict(point)}


def _kept(run: Run) -> OperatingPoint | None:
    """Read the operating point of a run, whatever it belongs to; None if there is none.

    Raises:
        RunError: if the file is damaged.
    """
    if not any(map(_is_kept_at, _beside(run))) and not folder().is_dir():
        return None  # before the weights are read for a mark
    for path in places(run):
        try:
            if kind_of(path) == "a folder":
                continue  # where no such file can be kept either
            return _point(read_json(path, _MOST_BYTES))
        except FileNotFoundError:
            continue
        except (LookupError, TypeError, ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            why = f"{path.name} of {printable(run.name)} is damaged: {printable(str(reason), 300)}"
            raise RunError(
                f"{as_sentence(why)} It is not used; forget it or save another."
            ) from error
    return None


def _point(written: Any) -> OperatingPoint:
    """Check an operating point that was read.

    Raises:
        LookupError, TypeError, ValueError: if it is none.
    """
    if not isinstance(written, Mapping) or written["format"] != _FORMAT:
        raise ValueError("it is no operating point of this version")
    low, high = FALSE_ALARM_BOUNDS
    way, made, by, mark = (_text(written[name]) for name in ("way", "made", "by", "mark"))
    if way not in WAYS:
        raise ValueError("it does not say how the rate was chosen")
    if datetime.fromisoformat(made).tzinfo is None:
        raise ValueError("its time has no time zone")
    if not re.fullmatch(rf"[0-9a-f]{{{_MARK}}}", mark):
        raise ValueError("it does not say which calibration it belongs to")
    return OperatingPoint(
        _number(written["false_alarms"], low, high, "false-alarm rate"),
        WAYS[WAYS.index(way)],
        _costs(written["costs"]),
        _known_images(written["good"]),
        _known_images(written["bad"]),
        made,
        by,
        mark,
    )


def _costs(written: Mapping[str, Any]) -> Costs:
    names = {"cost_miss": "miss", "cost_alarm": "alarm", "share_bad": "share_bad"}
    try:
        checked = OperatingPointOptions(**{name: written[key] for name, key in names.items()})
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return Costs(checked.cost_miss, checked.cost_alarm, checked.share_bad)


def _known_images(written: Mapping[str, Any]) -> KnownImages:
    called = written["called"]
    images = _count(called["images"], 1)
    if not re.fullmatch(r"[0-9a-f]{64}", digest := _text(written["digest"])):
        raise ValueError("it does not say which files it was chosen with")
    count = _count(called["count"], 0)
    if count > images:
        raise ValueError("it counts more images than there are")
    return KnownImages(_count(written["images"], 1), digest, Rate(count, images))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError("it has something else in the place of a short text")
    return printable(value)


def _number(value: Any, low: float, high: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"its {name} is not between {low:g} and {high:g}")
    return float(value)


def _count(value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST_IMAGES:
        raise ValueError("it has something else in the place of a number of images")
    return value
