"""How often the charts of a run are drawn anew while it trains."""

import time
from collections.abc import Callable, Hashable
from typing import TypeVar

from vae_core.runs.run import Status

_SHARE, _LONGEST = 0.1, 5.0  # of the time trained so far, and in seconds

_T = TypeVar("_T")


def rest(status: Status) -> float:
    """Seconds for which a chart may stay as it is.

    To draw all of them every second takes half a core of a small computer away from the training
    that they show. What has trained for ten seconds changes from second to second; what has trained
    for a minute does not.
    """
    return min(_LONGEST, _SHARE * status.seconds) if status.state == "running" else 0.0


class Kept:
    """What was made for a page that is drawn again and again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[Hashable, Hashable, float, object]] = {}

    def get(
        self, name: str, subject: Hashable, version: Hashable, rest: float, make: Callable[[], _T]
    ) -> _T:
        """What ``make`` made of this version of a subject.

        It is made anew for another subject, and for another version once it has had its rest.
        """
        now = self._clock()
        if name in self._kept:
            of, seen, made, value = self._kept[name]
            if of == subject and (seen == version or now - made < rest):
                return value  # type: ignore[return-value]
        value = make()
        self._kept[name] = (subject, version, now, value)
        return value
