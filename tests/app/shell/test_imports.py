"""No page is drawn while a module that Plotly looks up is half imported."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app import __main__ as start
from app.shell import imports

ROOT = Path(__file__).resolve().parents[3]
LOOKED_UP = re.compile(r"""get_module\("([\w.]+)", should_load=False\)""")

# Pandas stops at the beginning of its body until the page has run, or waits for an import.
HALF_IMPORTED = """
import contextlib, importlib.machinery, sys, threading, time, types

begun, ran = threading.Event(), threading.Event()

class Slow(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if name == "pandas":
            body = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (pause(), body(module))
        return spec

def pause():
    begun.set()
    until = time.monotonic() + 60
    while not ran.is_set() and not somebody_waits() and time.monotonic() < until:
        time.sleep(0.01)

def somebody_waits():
    return any(
        frame.f_code.co_name == "acquire" and "importlib" in frame.f_code.co_filename
        for frame in sys._current_frames().values()
    )

sys.meta_path.insert(0, Slow)

from streamlit.testing.v1 import AppTest

from app import __main__ as start
from app.shell import frame

def page():
    import plotly.graph_objects as go
    try:
        go.Figure(go.Scatter(x=[1, 2]))
        print("drawn", flush=True)
    finally:
        ran.set()

frame.open_page = lambda: contextlib.nullcontext(types.SimpleNamespace(run=page))
start.LATER = 0.0
threading.Thread(target=start._warm_up, daemon=True).start()
assert begun.wait(60)
test = AppTest.from_file("app/main.py", default_timeout=100).run()
print([each.value for each in test.error])
"""


def test_a_page_opened_during_the_import_of_pandas_is_drawn() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_IMPORTED],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "drawn\n[]\n", done.stderr


@pytest.mark.parametrize("package", ["plotly", "_plotly_utils"])
def test_everything_that_plotly_looks_up_is_waited_for(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    sources = Path(spec.origin or "").parent.rglob("*.py")
    found = {name for path in sources for name in LOOKED_UP.findall(path.read_text("utf-8"))}
    assert "numpy" in found
    installed = {name for name in found if importlib.util.find_spec(name.partition(".")[0])}
    assert installed <= set(imports.LOOKED_UP)


def test_what_pages_wait_for_is_imported_first() -> None:
    assert start.NEEDED[: len(imports.LOOKED_UP)] == imports.LOOKED_UP
