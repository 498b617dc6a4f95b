"""Threads share the memory that they have freed, and the system gets it back."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries do otherwise"
)

ARENAS = """
import ctypes, sys, tempfile, threading
from pathlib import Path
from vae_core.basics.allocator import share_freed_memory

if {shared}:
    share_freed_memory()
met = threading.Barrier(9)

def allocate():
    kept = [bytearray(1000) for _ in range(100)]
    met.wait()
    met.wait()

for _ in range(8):
    threading.Thread(target=allocate).start()
met.wait()
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "info"
    file = c.fopen(str(path).encode(), b"w")
    c.malloc_info(0, ctypes.c_void_p(file))
    c.fclose(ctypes.c_void_p(file))
    print(path.read_text().count("<heap nr="))
met.wait()
"""


def arenas(shared: bool) -> int:
    """Number of arenas of a process whose eight threads allocate at once."""
    run = [sys.executable, "-c", ARENAS.format(shared=shared)]
    return int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def test_threads_share_two_arenas() -> None:
    assert arenas(shared=True) <= 2 < arenas(shared=False)


FREED = """
import resource
from pathlib import Path
from vae_core.basics.allocator import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

blocks = [bytearray(100_000) for _ in range(1000)]
last = bytearray(100_000)
del blocks
before = resident()
return_freed_memory()
print(before - resident())
"""


def test_freed_memory_is_returned_to_the_system() -> None:
    run = [sys.executable, "-c", FREED]
    found = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert found > 90e6
