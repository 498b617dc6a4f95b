"""Score many images step by step, in threads of the server."""

import copy
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import torch
from torch import Tensor

from app.services import models, results, work
from app.services.models import Choice
from app.views.score import calibrating
from app.views.score.inputs import Given, Upload
from vae_core.basics.progress import Step, mapped
from vae_core.data.pixels import model_input
from vae_core.data.prepare import PrepareOptions
from vae_core.model.batches import rows_at_once
from vae_core.model.vae import VAE
from vae_core.runs.kept_examples import KeptExamples
from vae_core.scoring.judge import Judge
from vae_core.scoring.report import Report, report_steps
from vae_core.scoring.score import Convergence, Score
from vae_core.settings.choices import Binarisation, Frames
from vae_core.settings.options import FALSE_ALARMS

SEED = 0
_REMEMBERED = 5000
_MOST_AT_ONCE, _TIMES = 32, 6  # images to score together, for steps of some tenths of a second
_ROWS_OF_A_FIT = 1000  # latents that the fit of an image decodes, about
_serials = count()


@dataclass(frozen=True)
class Scored:
    """The score of an image.

    Attributes:
        x: model input, (1, C, H, W) in [0, 1].
    """

    report: Report
    convergence: Convergence
    x: Tensor

    @property
    def score(self) -> Score:
        """log p̂(x) and its diagnostics."""
        return self.report.score

    @property
    def usualness(self) -> tuple[float, float, float]:
        """Sort key: the lowest is the most unusual image; log p̂(x) decides between equal ones."""
        judgement = self.report.judgement
        if judgement is None:
            return 0.0, 0.0, self.score.log_px
        return judgement.p_value, -judgement.unusualness, self.score.log_px

    def at(self, false_alarms: float) -> "Scored":
        """The same score with the verdict at another false-alarm rate."""
        report = self.report.at(false_alarms)
        return self if report is self.report else replace(self, report=report)


@dataclass(frozen=True)
class Scorer:
    """A model and a protocol.

    Attributes:
        key: cache key of both; equal keys give equal scores.
        judge: binarisation of the pixels, and the held-out scores for percentile and verdict.
        importance_samples: K.
        examples: reports that come with the model; None without any.
    """

    key: Hashable
    model: VAE
    judge: Judge
    importance_samples: int
    examples: KeptExamples | None = None

    @classmethod
    def of(cls, choice: Choice, samples: int, binarisation: Binarisation) -> "Scorer":
        """Scorer with the model of a choice and its calibration."""
        judge = Judge.of(calibrating.calibration(choice), binarisation)
        judged = judge.calibration is not None
        key = (*choice.weights(), binarisation, samples, judged, *results.judged_by(choice))
        return cls(key, models.model(choice), judge, samples, results.kept_examples(choice))

    @property
    def binarisation(self) -> Binarisation:
        """Binarisation that turns grey pixels into the model input."""
        return self.judge.binarisation

    @property
    def drawn(self) -> bool:
        """Whether the pixels are drawn at random, so that another seed gives another image."""
        return self.binarisation == "dynamic"

    def steps(self, pixels: Sequence[Tensor]) -> Iterator[Step[list[Scored]]]:
        """Make the reports of several images, each (C, H, W), together in small steps."""
        x = torch.cat([model_input(each, self.binarisation, SEED) for each in pixels])
        steps = report_steps(self.model, x, self.importance_samples, self.judge, SEED)
        return mapped(
            steps,
            lambda found: [Scored(*each, one) for each, one in zip(found, x.split(1), strict=True)],
        )

    def kept(self, pixels: Tensor) -> Scored | None:
        """Return the report of an image (C, H, W) that comes with the model, if it does."""
        if self.examples is None:
            return None
        found = self.examples.report(self.model, pixels, self.judge, self.importance_samples, SEED)
        return None if found is None else Scored(*found)

    @property
    def at_once(self) -> int:
        """Number of images to score together: a few for a large model or K, else more."""
        rows = self.importance_samples + _ROWS_OF_A_FIT
        return max(1, min(_MOST_AT_ONCE, _TIMES * rows_at_once(self.model) // rows))


class Known(work.Known[Scored]):
    """Cache of the scores of this session. The oldest scores are dropped."""

    def __init__(self) -> None:
        super().__init__(_REMEMBERED)


class Reading:
    """Images that are read step by step and kept, so that another K does not read them again.

    Attributes:
        key: cache key of the source.
        options: how the files are prepared.
        uploads: the files.
        frames: which frames of animated and multi-page files are images.
        given: images read so far.
    """

    def __init__(
        self,
        key: Hashable,
        source: Iterable[Given],
        options: PrepareOptions,
        uploads: Sequence[Upload] = (),
        frames: Frames = "first",
    ) -> None:
        self.key = key
        self.options = options
        self.uploads = uploads
        self.frames: Frames = frames
        self.given: list[Given] = []
        self._source = iter(source)

    def steps(self) -> Iterator[None]:
        """Read the remaining images, one per step."""
        for each in self._source:
            self.given.append(each)
            yield


class Job(work.Sliced):
    """Reads images, then scores them. All work is done in :meth:`advance`.

    Attributes:
        serial: unique number of the job.
        phase: "Reading" or "Scoring".
        known: cache of scores.
    """

    def __init__(self, reading: Reading, scorer: Scorer, known: Known) -> None:
        super().__init__(self._steps)
        self.serial = next(_serials)
        self.reading = reading
        self.scorer = scorer
        self.phase = "Reading"
        self.known = known
        self._scored: dict[str, Scored] = {}
        self._within = 0.0  # images under way, times the share of their work that is done

    def frozen(self, false_alarms: float = FALSE_ALARMS) -> "Job":
        """Return a copy to draw a page from, which no thread changes meanwhile.

        Args:
            false_alarms: α of all verdicts in it.
        """
        frozen = copy.copy(self)  # whether it is done first: a job that is done has all scores
        frozen.reading = copy.copy(self.reading)
        frozen.reading.given = list(self.reading.given)
        frozen._scored = {k: each.at(false_alarms) for k, each in dict(self._scored).items()}
        judge = replace(self.scorer.judge, false_alarms=false_alarms)
        frozen.scorer = replace(self.scorer, judge=judge)
        return frozen

    @property
    def key(self) -> Hashable:
        """Cache key: what is scored and how."""
        return self.reading.key, self.scorer.key

    @property
    def readable(self) -> list[Given]:
        """Images read so far without an error."""
        return [each for each in self.reading.given if each.pixels is not None]

    @property
    def failed(self) -> list[Given]:
        """Files that could not be read so far."""
        return [each for each in self.reading.given if each.pixels is None]

    def scored(self) -> list[tuple[Given, Scored]]:
        """Images scored so far, in the order in which they were given."""
        return [(e, self._scored[e.label]) for e in self.readable if e.label in self._scored]

    def ranked(self) -> list[tuple[Given, Scored]]:
        """Images scored so far, the most unusual first; the least probable without a verdict."""
        return sorted(self.scored(), key=lambda pair: pair[1].usualness)

    @property
    def share(self) -> float:
        """Share of the scoring that is done, 0 to 1."""
        total = len(self.readable)
        return min(1.0, (len(self._scored) + self._within) / total) if total else 0.0

    def _steps(self) -> Iterator[None]:
        yield from self.reading.steps()
        self.phase, self._spent = "Scoring", 0.0
        waiting, count = self.readable, 1
        while waiting:
            yield from self._score(waiting[:count])
            waiting = waiting[count:]
            count = min(2 * count, self.scorer.at_once)  # the first score comes soon

    def _score(self, images: Sequence[Given]) -> Iterator[None]:
        found = {each.label: self._known(each) for each in images}
        missing = [each for each in images if found[each.label] is None]
        if missing:
            yield from self._measure(missing, found)
        self._scored |= {label: scored for label, scored in found.items() if scored is not None}
        self._within = 0.0
        yield

    def _known(self, image: Given) -> Scored | None:
        """Return the score of an image if it is known already."""
        known = self.known.get((image.digest, self.scorer.key))
        if known is None and image.place is None and image.pixels is not None:
            return self.scorer.kept(image.pixels)
        return known

    def _measure(self, images: Sequence[Given], found: dict[str, Scored | None]) -> Iterator[None]:
        """Score images that are not known yet, and add them to ``found``."""
        pixels = [each.pixels for each in images if each.pixels is not None]
        scored: list[Scored] | None = None
        for step in self.scorer.steps(pixels):
            self._within, scored = step.share * len(images), step.result
            yield
        assert scored is not None
        for each, score in zip(images, scored, strict=True):
            self.known.put((each.digest, self.scorer.key), score)
            found[each.label] = score
