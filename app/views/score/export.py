"""Export of scores: the CSV table, the files, and the code that reproduces a report."""

import io
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from app.parts.text import shown_path
from app.services.models import Choice
from app.views.score.inputs import MADE_HERE, Given, entries
from app.views.score.job import SEED, Job, Scorer
from vae_core.basics.text import printable
from vae_core.cli.rows import COLUMNS, as_row
from vae_core.cli.table import as_cell
from vae_core.data.prepare import PrepareOptions
from vae_core.scoring.examples import Example, example
from vae_core.scoring.files import FileScore
from vae_core.settings.choices import Binarisation, pixels_as
from vae_core.settings.options import FALSE_ALARMS, ScoreOptions
from vae_core.wording.command import command


def columns(
    job: Job, protocol: Mapping[str, Any], only: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Table of all images by column, the most unusual first, and unreadable images last.

    The columns are the same as in ``score --csv``, plus those of ``protocol``.

    Args:
        only: labels of the images in the table; None for all.
    """
    ranked = [(g, s) for g, s in job.ranked() if only is None or g.label in only]
    rows = [as_row(FileScore(given.label, report=s.report)) for given, s in ranked]
    if only is None:
        rows += [as_row(FileScore(given.label, error=given.error)) for given in job.failed]
    likelihood = job.scorer.model.config.likelihood
    pixels = pixels_as(job.scorer.binarisation, likelihood)
    how = {"importance_samples": job.scorer.importance_samples, **protocol}
    how |= {"likelihood": likelihood, "pixels": pixels}
    how |= {"false_alarms": _rate(job.scorer)}
    names = ("file", "ok", "error", *COLUMNS, *how)
    return {name: [as_cell((row | how).get(name)) for row in rows] for name in names}


def _rate(scorer: Scorer) -> float | None:
    """False-alarm rate of the verdicts; None without any."""
    return scorer.judge.false_alarms if scorer.judge.calibration else None


def protocol_of(job: Job, choice: Choice) -> dict[str, Any]:
    """Protocol columns of the scores of a job."""
    scorer = job.scorer
    return protocol(choice.key, choice.run.config.dataset, scorer.binarisation, job.reading.options)


def protocol(
    model: str, dataset: str, binarisation: Binarisation, options: PrepareOptions
) -> dict[str, Any]:
    """Protocol columns of the table: how the scores were made."""
    return {
        "model": model,
        "data_set": dataset,
        "binarisation": binarisation,
        "seed": SEED,
        **asdict(options),
    }


def files(job: Job, only: Collection[str]) -> bytes:
    """Make a .zip of the images with these labels: files as they were given, examples as PNG."""
    chosen = [each for each in job.readable if each.label in only]
    origins = {each.place: each.label for each in chosen if each.place is not None}
    out, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(out, "w") as archive:  # images are compressed already
        given = entries(job.reading.uploads, job.reading.frames) if origins else ()
        for place, entry in enumerate(given):
            if place in origins and isinstance(entry.data, bytes):
                name = _named(origins[place]) + (_ending(entry.data) if entry.file else "")
                archive.writestr(_safe(name, taken), entry.data)
        for each in chosen:
            if each.place is None:
                archive.writestr(_safe(f"{each.label}.png", taken), _png(each))
    return out.getvalue()


def _safe(name: str, taken: set[str]) -> str:
    """Make a name that stays inside the folder where an archive is unpacked, and is not taken."""
    parts = [each for each in printable(name).replace("\\", "/").split("/") if each.strip(" .")]
    path = PurePosixPath(*parts) if parts else PurePosixPath("image")
    safe, number = path, 1
    while str(safe) in taken:
        number += 1
        safe = path.with_stem(f"{path.stem} ({number})")
    taken.add(str(safe))
    return str(safe)


def _ending(frame: bytes) -> str:
    """Ending of the name of a frame, which is a file of its own."""
    return ".png" if frame.startswith(b"\x89PNG") else ".tif"


def _png(given: Given) -> bytes:
    assert given.pixels is not None
    pixels = given.pixels.permute(1, 2, 0).numpy()
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, "PNG")
    return out.getvalue()


def code(
    folder: Path,
    dataset: str,
    binarisation: Binarisation,
    importance_samples: int,
    scorer: Scorer,
    given: Given,
    options: PrepareOptions,
) -> str:
    """Python code that reproduces the report of an image; for a file also the command line.

    Args:
        folder: run folder.
        scorer: the scorer of the image.
    """
    made_as = example(given.label) if given.place is None else None
    calibrated = _calibration_argument(scorer)
    lines = [
        *_imports(made_as, calibrated, given),
        "",
        f"folder = Path({shown_path(folder)!r})",
        "model = load_model(folder)",
        *(_from_example(made_as, dataset) if made_as else _from_file(given, options, dataset)),
        f'x = model_input(pixels, "{binarisation}", seed={SEED})',
        *(["run = Run.open(folder)"] if calibrated else []),
        f"(report,) = report_images(model, x, {importance_samples}{calibrated})",
        "print(report)",
    ]
    if made_as is None:
        lines += ["", "# The same on the command line, for any number of files:"]
        rate = _rate(scorer)
        lines += [f"# {_command(folder, binarisation, importance_samples, rate, given, options)}"]
    return "\n".join(lines)


def _calibration_argument(scorer: Scorer) -> str:
    """Code of the calibration argument, the last one of the call."""
    judge = scorer.judge
    if judge.calibration is None:
        return ""
    if judge.false_alarms == FALSE_ALARMS:
        return ", calibration_of(run)"
    return f', Judge("{judge.binarisation}", calibration_of(run), {judge.false_alarms:g})'


def _imports(made_as: Example | None, calibrated: str, given: Given) -> list[str]:
    lines = ["from pathlib import Path", ""]
    if made_as is not None and "torch." in made_as.code + made_as.source:
        lines += ["import torch", ""]
    uses = made_as.source if made_as else ""
    lines.append(
        f"from vae_core import {'load_dataset, ' if 'load_dataset' in uses else ''}load_model"
    )
    if "simulate(" in uses:
        lines.append("from vae_core.inference.annealing import simulate")
    if "upscaled_digits" in uses:
        lines.append("from vae_core.scoring.foreign import upscaled_digits")
    if given.file:
        lines.append("from vae_core.data.files import iter_files")
    if made_as is None:
        lines.append("from vae_core.data.prepare import PrepareOptions, prepare")
    lines.append("from vae_core.scoring.report import report_images")
    if calibrated:
        lines.append("from vae_core.runs.records import calibration_of")
        lines.append("from vae_core.runs.run import Run")
    if "Judge(" in calibrated:
        lines.append("from vae_core.scoring.judge import Judge")
    return [*lines, "from vae_core.data.pixels import model_input"]


def _from_example(made_as: Example, dataset: str) -> list[str]:
    return [f"images = {made_as.source.format(dataset=dataset)}", f"pixels = {made_as.code}"]


def _from_file(given: Given, options: PrepareOptions, dataset: str) -> list[str]:
    name, content = _file_name(given), "frame" if given.file else "file"
    chosen = ", ".join(f'{step}="{choice}"' for step, choice in _changed(options).items())
    return [
        f"file = Path({name!r})",
        f"options = PrepareOptions({chosen})",
        "shape = model.config.image_shape",
        *_frame(given, name),
        f'pixels = prepare({content}, file.name, shape, options, "{dataset}").pixels',
    ]


def _frame(given: Given, file: str) -> list[str]:
    """Code that reads a frame of a film; nothing for an image that is a file."""
    if not given.file:
        return []
    number = given.label.removeprefix(given.file).partition("]")[0]
    return [f'frame = dict(iter_files([file], "all"))[{f"{file}{number}]"!r}]']


def _command(
    folder: Path,
    binarisation: Binarisation,
    importance_samples: int,
    false_alarms: float | None,
    given: Given,
    options: PrepareOptions,
) -> str:
    chosen = ScoreOptions(
        importance_samples=importance_samples,
        binarisation=binarisation,
        false_alarms=false_alarms,
        frames="all" if given.file else "first",
        **asdict(options),
    )
    return command("score", [shown_path(folder), _file_name(given)], chosen)


def _changed(options: PrepareOptions) -> dict[str, str]:
    """Options that differ from the default."""
    default = PrepareOptions()
    return {step: c for step, c in asdict(options).items() if c != getattr(default, step)}


def _file_name(given: Given) -> str:
    """File name of the image, or the name under which it would be saved."""
    return _named((given.file or given.label).rpartition("/")[2])


def _named(name: str) -> str:
    """Add the ending to an image that was not given as a file."""
    return f"{name}.png" if name.startswith(MADE_HERE) and "." not in name else name
