"""Measure gradient noise step by step, in threads of the server."""

import threading
from collections.abc import Callable, Iterator, Sequence

import streamlit as st
from torch import Tensor

from app.services import models
from app.services.gradient_table import ESTIMATORS, Point, Protocol, Table, seed_of
from app.services.models import Choice
from app.services.work import Known, Sliced
from vae_core.model.vae import VAE
from vae_core.settings.choices import GradientName
from vae_core.training.gradient_noise import GradientNoise, measure_noise, memory

_BLOCK = 4  # estimates of a point per round: every point appears soon, and times are comparable

_REMEMBERED = 2000  # points
_UNDER_WAY = 4  # protocols whose unfinished points are kept
_MEMORY = 32 * 2**20  # bytes of the points of one protocol that are begun and not finished

Cell = tuple[GradientName, int]


class Estimates:
    """The points of one protocol that are measured so far. All sessions share them.

    Attributes:
        protocol: what is measured, and how.
        points: the points so far, finished or not.
        most: how many points are begun at once.
    """

    def __init__(self, protocol: Protocol, model: VAE, x: Tensor, known: Known[Point]) -> None:
        self.protocol = protocol
        self.points: dict[Cell, Point] = {}
        self._model, self._x, self._known = model, x, known
        self.most = max(1, _MEMORY // memory(model))
        self._under_way: dict[Cell, Iterator[GradientNoise]] = {}
        self._turn = threading.Lock()  # two sessions may want one point

    def recall(self, cells: Sequence[Cell]) -> None:
        """Load the points that were finished earlier."""
        for cell in cells:
            point = self._known.get((self.protocol, cell))
            if point is not None:
                self.points[cell] = point

    def repeats(self, cell: Cell) -> int:
        """Number of estimates of a point so far."""
        point = self.points.get(cell)
        return point.repeats if point else 0

    def missing(self, cell: Cell) -> int:
        """Number of estimates of a point that are still to be made."""
        return self.protocol.repeats - self.repeats(cell)

    def next_of(self, cells: Sequence[Cell]) -> Cell | None:
        """The point to work on next; None if all are finished.

        All points take turns; those of a large model in groups that fit into the memory. Points
        that nobody wants any more count too: then one of those that are wanted is measured alone.
        """
        missing = [cell for cell in cells if self.missing(cell) > 0]
        if len(self._under_way) >= self.most:
            missing = [cell for cell in missing if cell in self._under_way] or missing[:1]
        return min(missing, key=lambda cell: self.repeats(cell) // _BLOCK, default=None)

    def add_to(self, cell: Cell) -> float:
        """Make one more estimate of a point and return the median time of an estimate in seconds.

        Returns 0 if the point is finished.
        """
        with self._turn:
            return self._add_to(cell) if self.missing(cell) > 0 else 0.0

    def _add_to(self, cell: Cell) -> float:
        gradient, samples = cell
        running = self._under_way.pop(cell, None)  # after an error, start again
        if running is None:
            running = measure_noise(
                self._model, self._x, gradient, samples, self.protocol.repeats,
                self.protocol.inside, seed_of(gradient, samples),
            )  # fmt: skip
        noise = next(running)
        self.points[cell] = point = Point(
            gradient, samples, noise.repeats, noise.total_variance, noise.total_variance_error,
            noise.signal, noise.seconds, noise.seconds_error, noise.of_means.numpy(),
        )  # fmt: skip
        if self.missing(cell) > 0:
            self._under_way[cell] = running
        else:
            self._known.put((self.protocol, cell), point)
        return noise.seconds


class Measurement(Sliced):
    """The estimates that one session wants. One step computes one gradient."""

    def __init__(self, estimates: Estimates) -> None:
        self._wanted: list[Cell] = []
        self._all = estimates
        self._worked = 0.0  # seconds spent on estimates here, as the sum of their medians
        self._shown: tuple[list[Cell], int, Table] = [], 0, {}
        super().__init__(self._steps)

    @property
    def protocol(self) -> Protocol:
        """Protocol of the measurement."""
        return self._all.protocol

    def want(self, cells: Sequence[Cell]) -> None:
        """Set the points to measure from now on. Other points that are known are kept."""
        if list(cells) == self._wanted:
            return  # without waiting for the estimate that is under way
        with self.turn:
            self._wanted, self.error = list(cells), None
            self._all.recall(cells)
            self._work = self._steps()
            self.done = self._all.next_of(self._wanted) is None

    @property
    def table(self) -> Table:
        """The wanted points with at least two estimates so far."""
        return {
            gradient: row
            for gradient in ESTIMATORS
            if (
                row := [
                    point
                    for cell in sorted(self._wanted, key=lambda cell: cell[1])
                    if cell[0] == gradient
                    and (point := self._all.points.get(cell)) is not None
                    and point.repeats > 1
                ]
            )
        }

    def shown(self) -> Table:
        """:attr:`table`, updated during the work only when the number of estimates has doubled.

        The browser draws a changed chart from scratch, which flickers.
        """
        made, _ = self.estimates
        wanted, before, _ = self._shown
        if not self.working or wanted != self._wanted or made >= 2 * before:
            self._shown = self._wanted, made, self.table
        return self._shown[2]

    @property
    def estimates(self) -> tuple[int, int]:
        """Number of estimates of the wanted points: made so far, and in total."""
        made = sum(self._all.repeats(cell) for cell in self._wanted)
        return made, self.protocol.repeats * len(self._wanted)

    @property
    def share(self) -> float:
        """Share of the working time that is done, 0 to 1."""
        done = sum(self._all.repeats(cell) * self._seconds(cell) for cell in self._wanted)
        return min(1.0, done / (done + self._left)) if done else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds left at the speed so far. None until every point that is begun with the others
        has at least one estimate."""
        unknown = sum(cell not in self._all.points for cell in self._wanted)
        if not self._worked or unknown > max(0, len(self._wanted) - self._all.most):
            return None
        return self._left * self._spent / self._worked

    @property
    def _left(self) -> float:
        """Time of the missing estimates in seconds."""
        return sum(self._all.missing(cell) * self._seconds(cell) for cell in self._wanted)

    def _seconds(self, cell: Cell) -> float:
        """Time of one estimate in seconds.

        While it is unknown, it is guessed from the slowest known point, scaled to this L.
        """
        point = self._all.points.get(cell)
        points = list(self._all.points.values())  # another session may add to them meanwhile
        known = [p.seconds * cell[1] / p.samples for p in points]
        return point.seconds if point else max(known, default=0.0)

    def _steps(self) -> Iterator[None]:
        while (cell := self._all.next_of(self._wanted)) is not None:
            self._worked += self._all.add_to(cell)
            yield


@st.cache_resource(show_spinner=False)
def shared() -> tuple[Known[Point], Known[Estimates]]:
    """Finished points and running estimates, kept on the server so that a reload continues them."""
    return Known(_REMEMBERED), Known(_UNDER_WAY)


def estimates(protocol: Protocol, choice: Choice, images: Callable[[], Tensor]) -> Estimates:
    """Return the estimates of a protocol. Sessions and pages with the same protocol share them.

    Args:
        images: makes the images that the protocol names, (B, C, H, W).
    """
    points, under_way = shared()
    found = under_way.get(protocol)
    if found is None:
        model = models.model(choice)
        fresh = Estimates(protocol, model, images().to(model.device), points)
        found = under_way.setdefault(protocol, fresh)
    return found
