"""Scoring many images a slice at a time, so that the page stays alive meanwhile."""

import time
from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from torch import Tensor

from app.score_inputs import Given
from vae_core.config import Binarisation
from vae_core.images import PrepareOptions
from vae_core.scoring import Convergence, HeldOut, Score, model_input, scoring_steps
from vae_core.vae import VAE

SEED = 0
_REMEMBERED = 5000
_IDLE = 2.0  # seconds without work that do not count as time spent
_serials = count()


@dataclass(frozen=True)
class Scored:
    """What came of an image.

    Attributes:
        x: what the model saw, (1, C, H, W) in [0, 1].
    """

    score: Score
    convergence: Convergence
    x: Tensor


@dataclass(frozen=True)
class Scorer:
    """A model and a protocol.

    Attributes:
        key: names both; equal keys give equal scores.
    """

    key: Hashable
    model: VAE
    held_out: HeldOut | None
    binarisation: Binarisation
    importance_samples: int

    def steps(self, pixels: Tensor) -> Generator[float, None, Scored]:
        """The score of pixels (C, H, W) in small steps; yields the share done."""
        x = model_input(pixels, self.binarisation, SEED)
        score, convergence = yield from scoring_steps(
            self.model, x, self.importance_samples, self.held_out, SEED
        )
        return Scored(score, convergence, x)


class Known:
    """Scores of this session, so that nothing is scored twice; the oldest are forgotten."""

    def __init__(self) -> None:
        self._scores: OrderedDict[Hashable, Scored] = OrderedDict()

    def get(self, key: Hashable) -> Scored | None:
        """What is known under the key."""
        found = self._scores.get(key)
        if found is not None:
            self._scores.move_to_end(key)
        return found

    def put(self, key: Hashable, scored: Scored) -> None:
        """Remember a score."""
        self._scores[key] = scored
        if len(self._scores) > _REMEMBERED:
            self._scores.popitem(last=False)


class Reading:
    """Images that are read as they are asked for, and kept: another K need not read them again.

    Attributes:
        key: names the source.
        options: how its files are prepared.
        given: what was read so far.
    """

    def __init__(self, key: Hashable, source: Iterable[Given], options: PrepareOptions) -> None:
        self.key = key
        self.options = options
        self.given: list[Given] = []
        self._source = iter(source)

    def steps(self) -> Iterator[None]:
        """Read what has not been read yet."""
        for each in self._source:
            self.given.append(each)
            yield


class Job:
    """Images being read, then scored. Nothing happens but in :meth:`advance`.

    Attributes:
        serial: differs from that of every other job.
        phase: "Reading" or "Scoring".
        stopped, done: whether the work was called off, or is finished.
    """

    def __init__(self, reading: Reading, scorer: Scorer, known: Known) -> None:
        self.serial = next(_serials)
        self.reading = reading
        self.scorer = scorer
        self.stopped = False
        self.done = False
        self.phase = "Reading"
        self._known = known
        self._scored: dict[str, Scored] = {}
        self._within = 0.0  # of the image being scored
        self._spent = 0.0  # seconds, with those that went into drawing the page in between
        self._last = 0.0
        self._work = self._steps()

    @property
    def key(self) -> Hashable:
        """Names what is scored and how."""
        return self.reading.key, self.scorer.key

    @property
    def working(self) -> bool:
        """Whether there is something to do and nobody has stopped it."""
        return not (self.done or self.stopped)

    def advance(self, seconds: float) -> None:
        """Go on for about so long, unless stopped or done. At least one step is made."""
        start = time.monotonic()
        if start - self._last > _IDLE:
            self._last = start
        while self.working:
            if next(self._work, self) is self:
                self.done = True
            if time.monotonic() - start >= seconds:
                break
        now = time.monotonic()
        self._spent += now - self._last
        self._last = now

    def stop(self) -> None:
        """Leave it at what has been scored."""
        self.stopped = True

    def go_on(self) -> None:
        """Take up the work again."""
        self.stopped = False

    @property
    def readable(self) -> list[Given]:
        """The images read so far that are images."""
        return [each for each in self.reading.given if each.pixels is not None]

    @property
    def failed(self) -> list[Given]:
        """What could not be read, so far."""
        return [each for each in self.reading.given if each.pixels is None]

    def scored(self) -> list[tuple[Given, Scored]]:
        """The images scored so far, in the order in which they were given."""
        return [(e, self._scored[e.label]) for e in self.readable if e.label in self._scored]

    def ranked(self) -> list[tuple[Given, Scored]]:
        """The images scored so far, the most probable first."""
        return sorted(self.scored(), key=lambda pair: -pair[1].score.log_px)

    @property
    def share(self) -> float:
        """How much of the scoring is done, 0 to 1."""
        total = len(self.readable)
        return min(1.0, (len(self._scored) + self._within) / total) if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before that is known."""
        return self._spent * (1 - self.share) / self.share if self.share > 0 else None

    def _steps(self) -> Iterator[None]:
        yield from self.reading.steps()
        self.phase, self._spent = "Scoring", 0.0
        for each in self.readable:
            yield from self._score(each)

    def _score(self, each: Given) -> Iterator[None]:
        assert each.pixels is not None
        key = each.digest, self.scorer.key
        scored = self._known.get(key)
        if scored is None:
            steps = self.scorer.steps(each.pixels)
            while scored is None:
                try:
                    self._within = next(steps)
                    yield
                except StopIteration as end:
                    scored = end.value
            self._known.put(key, scored)
        self._scored[each.label] = scored
        self._within = 0.0
        yield
