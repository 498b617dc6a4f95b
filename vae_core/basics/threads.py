"""How PyTorch's threads wait for each other."""

import os


def let_threads_sleep() -> None:
    """Let threads that wait sleep. Call it before PyTorch is loaded; a setting of the user stays.

    By default OpenMP's threads wait in a loop that keeps a core busy. Beside other work, as a
    browser is, the thread that all wait for then gets no core: on two busy cores, scoring an image
    took ten times as long, and ten times the processor time.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
