"""Memory that threads have freed: shared by all, and returned to the system.

glibc gives up to eight arenas a core to threads, and keeps in each the memory that was freed in it.
A server that draws every page in a new thread then keeps hundreds of megabytes that nobody uses.
Other C libraries do otherwise; nothing here has an effect with them.
"""

import ctypes
import sys
from functools import cache

_ARENA_MAX = -8  # M_ARENA_MAX of mallopt(3)
_ARENAS = 2


def share_freed_memory() -> None:
    """Let all threads that begin from now on use the same two arenas."""
    choose = getattr(_this_program(), "mallopt", None)
    if choose is not None:
        choose(_ARENA_MAX, _ARENAS)


def return_freed_memory() -> None:
    """Return freed memory to the system."""
    trim = getattr(_this_program(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@cache
def _this_program() -> ctypes.CDLL | None:
    """Functions of this process; None on Windows, which does not offer them in one place."""
    return None if sys.platform == "win32" else ctypes.CDLL(None)
