"""How many threads PyTorch's operations take, and how these wait for each other.

Commands, training processes and the tasks of the app all ask here. On two busy cores, waiting
threads that keep a core busy cost ten times the time and ten times the processor time of an image.
"""

import math
import os
import threading
from functools import cache
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds of a core in each period
_SMALL_STEP = 30_000_000  # weights × latents: a sixth of the multiplications of a step
_choosing = threading.Lock()


def prepare_threads() -> None:
    """Prepare the threads of this process and of those it starts, before PyTorch is loaded.

    Threads that wait sleep. By default those of OpenMP wait in a loop that keeps a core busy. In a
    container that may use fewer cores than the computer has, there are no more threads than that.
    Settings of the user stay.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    quota = _cores_of_container()
    if quota is not None and quota < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(quota))


def share_cores(tasks: int) -> None:
    """Let PyTorch's operations in this thread take one of ``tasks`` equal shares of the cores.

    A thread that works alone takes all cores. Where several work at once, each takes so few that
    together they do not take more threads than there are cores.
    """
    import torch

    with _choosing:  # what one thread chooses, another one would take for all cores
        torch.set_num_threads(max(1, _available() // tasks))


def share_cores_of_step(weights: int, latents: int) -> None:
    """Choose the threads for training steps with so many weights and so many latents a step.

    Small steps take one thread: several would only wait for each other, and for the pages.
    """
    share_cores(_available() if weights * latents < _SMALL_STEP else 1)


@cache
def _available() -> int:
    """Return how many threads PyTorch takes by itself: one a core, or ``OMP_NUM_THREADS``."""
    import torch

    return torch.get_num_threads()


def _cores_of_container() -> int | None:
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, math.floor(int(quota) / int(period)))
    except (OSError, ValueError):  # no container, another system, or "max": no limit
        return None
