"""Two groups of images, known to be good and bad: measured, compared, and a false-alarm rate.

The good images must be new: not those that the model was trained on, or that its scores were
calibrated with. Otherwise there are more false alarms in use than are reported here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from vae_core.basics.blocks import join
from vae_core.basics.errors import InvalidArgument
from vae_core.basics.progress import Step
from vae_core.basics.text import printable
from vae_core.data.archives import Entry
from vae_core.data.decode import ImageError
from vae_core.data.pixels import model_input
from vae_core.data.prepare import PrepareOptions, prepare
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, Measured
from vae_core.scoring.detection import SCORES, atypicality
from vae_core.scoring.operating_point import (
    Chosen,
    Costs,
    KnownImages,
    OperatingPoint,
    RatesAt,
    choose,
    table_of_rates,
)
from vae_core.scoring.roc import Area, Gain, Values, area, gain
from vae_core.settings.data_sets import DatasetInfo

GroupName = Literal["good", "bad"]
RAW, DECIDING = "log_px", "combined"
"""The scores of plain log p̂(x), and of the p-value that verdicts come from."""
MOST_IMAGES = 10_000
"""Most files of a group."""
_AT_ONCE = 20  # images


@dataclass(frozen=True)
class Group:
    """The images of a group, measured like the held-out images of the calibration.

    Attributes:
        names: names of the files, without copies of files that came before.
        log_px: log p̂(x) in nats, (N,).
        p_values: of the verdict, (N,).
        scores: each of :data:`vae_core.scoring.detection.SCORES`, (N,); higher looks bad.
        digest: SHA-256 over the sorted SHA-256 of the files, in hexadecimal digits.
        copies: number of files that were left out because they are copies.
        failed: files that could not be read, and the reasons.
    """

    names: tuple[str, ...]
    log_px: Values
    p_values: Values
    scores: Mapping[str, Values]
    digest: str
    copies: int = 0
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Groups:
    """Good and bad images that were measured.

    Attributes:
        held_out: number of held-out images that they were compared with.
    """

    good: Group
    bad: Group
    held_out: int

    def areas(self) -> dict[str, Area]:
        """The area under the ROC curve of each score."""
        return {name: area(self.good.scores[name], self.bad.scores[name]) for name in SCORES}

    def gain(self, score: str = DECIDING) -> Gain:
        """By how much the area of a score is larger than that of plain log p̂(x)."""
        one, other = ((self.good.scores[n], self.bad.scores[n]) for n in (score, RAW))
        return gain(one, other)

    def table(self) -> list[RatesAt]:
        """The share of each group that is called unlike the training data, at several rates."""
        return table_of_rates(self.good.p_values, self.bad.p_values, self.held_out)

    def choose(self, costs: Costs, given: float | None = None, seed: int = 0) -> Chosen:
        """Choose a false-alarm rate; see :func:`vae_core.scoring.operating_point.choose`.

        Raises:
            InvalidArgument: as there.
        """
        return choose(self.good.p_values, self.bad.p_values, self.held_out, costs, given, seed)

    def operating_point(self, chosen: Chosen, made: str, by: str, mark: str) -> OperatingPoint:
        """Make the record of a chosen rate.

        Args:
            made, by, mark: as in :class:`OperatingPoint`.
        """
        good = KnownImages(len(self.good.names), self.good.digest, chosen.alarms)
        bad = KnownImages(len(self.bad.names), self.bad.digest, chosen.detected)
        return OperatingPoint(
            chosen.false_alarms, chosen.way, chosen.costs, good, bad, made, by, mark
        )


def groups_steps(
    model: VAE,
    calibration: Calibration,
    good: Iterable[Entry],
    bad: Iterable[Entry],
    options: PrepareOptions | None = None,
    dataset: str | DatasetInfo | None = None,
    seed: int = 0,
) -> Iterator[Step[Groups]]:
    """Measure good and bad images in small steps.

    An image gets the p-value that :func:`vae_core.scoring.files.score_files` gives it.

    Args:
        good, bad: names of files with their bytes, as :func:`vae_core.data.files.iter_files`
            makes them. At most :data:`MOST_IMAGES` of a group are read. They are prepared, but not
            scored, before the first step with a share above 0, so this takes memory.
        options, dataset: as in :func:`vae_core.data.prepare.prepare`.
        seed: of the binarisation.

    Yields:
        The share of the work that is done; the last step has the groups.

    Raises:
        InvalidArgument: if no image of a group can be read, or a file is in both groups.
    """
    shape, binarisation = model.config.image_shape, calibration.binarisation
    found: dict[GroupName, _Read] = {}
    given: dict[GroupName, Iterable[Entry]] = {"good": good, "bad": bad}
    for name, files in given.items():
        found[name] = read = _Read()
        for file in islice(files, MOST_IMAGES + 1):
            read.take(*file, shape, options, dataset)
            yield Step(0.0)
        read.check(name)
    _check_different(found["good"], found["bad"])
    total, done = sum(len(each.pixels) for each in found.values()), 0
    groups: dict[GroupName, Group] = {}
    for name, read in found.items():
        parts = []
        for start in range(0, len(read.pixels), _AT_ONCE):
            pixels = read.pixels[start : start + _AT_ONCE]
            x = torch.cat([model_input(each, binarisation, seed) for each in pixels])
            parts.append(calibration.measure(model, x))
            done += len(x)
            yield Step(done / total)
        groups[name] = read.group(calibration, join(parts))
    yield Step(1.0, Groups(groups["good"], groups["bad"], calibration.images))


@dataclass
class _Read:
    """The files of a group, prepared for the model: one of each content."""

    names: dict[str, str] = field(default_factory=dict)  # by digest of the file
    pixels: list[Tensor] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    copies: int = 0

    def take(
        self,
        name: str,
        data: bytes | ImageError,
        shape: tuple[int, int, int],
        options: PrepareOptions | None,
        dataset: str | DatasetInfo | None,
    ) -> None:
        """Prepare a file, unless it is a copy of one before or cannot be read."""
        if len(self.names) + len(self.failed) + self.copies == MOST_IMAGES:
            self.failed.append(("The rest", f"Only the first {MOST_IMAGES:,} files are used."))
            return
        try:
            if isinstance(data, ImageError):
                raise data
            digest = hashlib.sha256(data).hexdigest()
            if digest in self.names:
                self.copies += 1
                return
            self.pixels.append(prepare(data, name, shape, options, dataset).pixels)
            self.names[digest] = name
        except ImageError as error:
            self.failed.append((name, str(error)))

    def check(self, group: GroupName) -> None:
        """Check that there is an image.

        Raises:
            InvalidArgument: otherwise, with the first reason.
        """
        if not self.pixels:
            why = f" {self.failed[0][1]}" if self.failed else ""
            raise InvalidArgument(f"None of the {group} images can be read.{why}")

    def group(self, calibration: Calibration, images: Measured) -> Group:
        """Compare the figures of the images with those of the held-out images."""
        p_values = calibration.p_values(images)
        scores = atypicality(calibration, images.table, p_values)
        return Group(
            tuple(self.names.values()),
            -scores[RAW],
            p_values.numpy(),
            scores,
            hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest(),
            self.copies,
            tuple(self.failed),
        )


def _check_different(good: _Read, bad: _Read) -> None:
    """Check that no file is in both groups.

    Raises:
        InvalidArgument: otherwise, with the name of the first.
    """
    both = [name for digest, name in good.names.items() if digest in bad.names]
    if both:
        more = f" and {len(both) - 1:,} more" if len(both) > 1 else ""
        raise InvalidArgument(
            f"An image cannot be both good and bad: {printable(both[0], 80)}{more} "
            f"{'are' if more else 'is'} in both groups."
        )
