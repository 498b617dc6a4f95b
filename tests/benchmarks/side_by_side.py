"""Time several computations in turns in one run, because a computer's speed varies."""

import statistics
import time
from collections.abc import Callable, Mapping

from torch.utils.flop_counter import FlopCounterMode

Work = Mapping[str, Callable[[], object]]


def medians(work: Work, rounds: int = 5) -> dict[str, float]:
    """Median seconds of each computation; they take turns, after one warm-up each."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def products(work: Work) -> dict[str, int]:
    """Count floating-point operations in matrix products and convolutions of each computation."""
    counts = {}
    for name, run in work.items():
        with FlopCounterMode(display=False) as counter:
            run()
        counts[name] = counter.get_total_flops()
    return counts


def compare(
    title: str, work: Work, reference: str, limit: float, times: float = 1.0
) -> dict[str, float]:
    """Run the computations, print their times, and return their median seconds.

    Printed are the time of each, its ratio to the time of ``reference``, and the speed of its
    matrix products, also as a share of ``limit``.

    Args:
        limit: GFLOP/s of a large matrix product in float32.
        times: factor of the printed times, for work that is done more often than measured.
    """
    seconds = medians(work)
    print(f"\n{title}")
    for name, count in products(work).items():
        ratio = seconds[name] / seconds[reference]
        speed = count / seconds[name] / 1e9
        print(
            f"  {name:32} {seconds[name] * times * 1000:10.1f} ms  {ratio:6.2f} ×"
            f"  {speed:6.0f} GFLOP/s  {speed / limit:4.0%}"
        )
    return seconds
