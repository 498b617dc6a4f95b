"""Modules that must be whole before a page draws: Plotly looks them up without importing them.

Plotly asks ``sys.modules`` whether a figure's data may be of pandas, say. A module is listed there
before its body has run, so a chart that is drawn while another thread still imports pandas finds a
pandas without ``Series`` and fails.

Pages wait for these modules, and the server does not: they are imported while a browser still loads
the app. On two busy cores the address answers after 2.3 s and the first heading is there after
8.9 s; with pandas imported before the server starts it is 4.9 s and 10.9 s.
"""

import importlib

LOOKED_UP = ("numpy", "PIL.Image", "pandas")
"""What Plotly looks up; importing pandas also completes pyarrow, which Narwhals looks up."""


def finish() -> None:
    """Return once these modules are whole, whichever thread has begun to import them.

    An import waits for the thread that is at it. With all of them loaded this takes microseconds.
    """
    for name in LOOKED_UP:
        importlib.import_module(name)
