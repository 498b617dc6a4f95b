"""Modules that must be imported completely before a page draws a chart.

Plotly looks for pandas and others in ``sys.modules`` without importing them. A module is listed
there before its body has run. So a chart that is drawn while another thread still imports pandas
would find a pandas without ``Series`` and fail.

Pages wait for these modules; the server does not. They are imported while a browser still loads the
app. On two busy cores the address answers after 2.3 s and the first heading appears after 8.9 s.
With pandas imported before the server starts these times are 4.9 s and 10.9 s.
"""

import importlib

LOOKED_UP = ("numpy", "PIL.Image", "pandas")
"""Modules that Plotly looks up. Importing pandas also imports pyarrow, which Narwhals looks up."""


def finish() -> None:
    """Wait until these modules are imported completely, by this thread or another.

    An import waits for another thread that imports the same module. If all modules are imported,
    this takes microseconds.
    """
    for name in LOOKED_UP:
        importlib.import_module(name)
