"""Measuring gradient noise a slice at a time, so that the page stays alive meanwhile."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from app.gradient.table import ESTIMATORS, Point, Protocol, Table, seed_of
from app.work import Known, Sliced
from vae_core.config import GradientName
from vae_core.gradient_noise import GradientNoise, measure_noise
from vae_core.vae import VAE

_BLOCK = 4  # estimates of a point in a round: all are seen soon, and their times are comparable

Cell = tuple[GradientName, int]


class Measurement(Sliced):
    """Points being measured, a gradient a step.

    Attributes:
        protocol: what is measured, and how.
    """

    def __init__(self, protocol: Protocol, model: VAE, x: Tensor, known: Known[Point]) -> None:
        super().__init__(iter(()))
        self.protocol = protocol
        self._model, self._x, self._known = model, x, known
        self._wanted: list[Cell] = []
        self._points: dict[Cell, Point] = {}
        self._under_way: dict[Cell, Iterator[GradientNoise]] = {}
        self._worked = 0.0  # seconds in estimates, as their medians have it
        self._shown: tuple[list[Cell], int, Table] = [], 0, {}

    def want(self, cells: Sequence[Cell]) -> None:
        """From now on, these are to be measured; what else is known is kept."""
        with self.turn:
            self._wanted = list(cells)
            for cell in cells:
                point = self._known.get((self.protocol, cell))
                if point is not None:
                    self._points[cell] = point
            self._work = self._steps()
            self.done = self._next() is None

    def advance(self, seconds: float) -> None:
        try:
            super().advance(seconds)
        except Exception:
            self.stop()  # what failed once is not tried again with every drawing of the page
            raise

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
                    and (point := self._points.get(cell)) is not None
                    and point.repeats > 1
                ]
            )
        }

    def shown(self) -> Table:
        """:attr:`table`, but while the work goes on only as often as there are twice as many
        estimates: a chart that changes is put up anew by the browser, which is seen."""
        made, _ = self.estimates
        wanted, before, _ = self._shown
        if not self.working or wanted != self._wanted or made >= 2 * before:
            self._shown = self._wanted, made, self.table
        return self._shown[2]

    @property
    def estimates(self) -> tuple[int, int]:
        """How many estimates of the wanted points are made, and how many there will be."""
        made = sum(self._repeats(cell) for cell in self._wanted)
        return made, self.protocol.repeats * len(self._wanted)

    @property
    def share(self) -> float:
        """How much of the work is done, by its time, 0 to 1."""
        done = sum(self._repeats(cell) * self._seconds(cell) for cell in self._wanted)
        return min(1.0, done / (done + self._left)) if done else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before every point has been tried."""
        if not self._worked or any(cell not in self._points for cell in self._wanted):
            return None
        return self._left * self._spent / self._worked

    @property
    def _left(self) -> float:
        """Seconds of estimates that are missing."""
        return sum(
            (self.protocol.repeats - self._repeats(cell)) * self._seconds(cell)
            for cell in self._wanted
        )

    def _repeats(self, cell: Cell) -> int:
        point = self._points.get(cell)
        return point.repeats if point else 0

    def _seconds(self, cell: Cell) -> float:
        """The time of one estimate; while it is unknown, as if it were that of the most samples."""
        point = self._points.get(cell)
        known = [p.seconds * cell[1] / p.samples for p in self._points.values()]
        return point.seconds if point else max(known, default=0.0)

    def _steps(self) -> Iterator[None]:
        while (cell := self._next()) is not None:
            self._step(cell)
            yield

    def _next(self) -> Cell | None:
        """The point to go on with: rounds over all of them."""
        missing = [c for c in self._wanted if self._repeats(c) < self.protocol.repeats]
        return min(missing, key=lambda cell: self._repeats(cell) // _BLOCK, default=None)

    def _step(self, cell: Cell) -> None:
        """One more estimate of a point."""
        gradient, samples = cell
        if cell not in self._under_way:
            self._under_way[cell] = measure_noise(
                self._model, self._x, gradient, samples, self.protocol.repeats,
                self.protocol.inside, seed_of(gradient, samples),
            )  # fmt: skip
        noise = next(self._under_way[cell])
        self._worked += noise.seconds
        point = Point(
            gradient, samples, noise.repeats, noise.total_variance, noise.total_variance_error,
            noise.signal, noise.seconds, noise.seconds_error, noise.of_means.numpy(),
        )  # fmt: skip
        self._points[cell] = point
        if noise.repeats >= self.protocol.repeats:
            self._known.put((self.protocol, cell), point)
            del self._under_way[cell]
