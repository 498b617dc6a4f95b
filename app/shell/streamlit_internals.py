"""Undocumented parts of Streamlit that the app uses.

Only this module of the app may use them; tests/test_architecture.py checks that. Checked with
Streamlit 1.67 and Starlette 1.10. Style sheets also select elements by ``data-testid``, which is
not documented either; the browser tests check the effect.
"""

from starlette.formparsers import MultiPartParser
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import FragmentHandledException

__all__ = ["DeltaGenerator", "FragmentHandledException"]

# DeltaGenerator: the type of a container, used in annotations only. If Streamlit moves it, only
# this import breaks.

# FragmentHandledException: raised by a fragment whose error Streamlit has already reported. If
# Streamlit removes it, `errors.guard` reports such an error a second time.

# spool_max_size: Streamlit's server parses uploads with Starlette, which writes a file of more than
# a megabyte to a temporary file. If Starlette removes the attribute, uploaded images are written to
# disk again, contrary to `app.parts.text.PRIVACY`, and the test of this module fails.
MultiPartParser.spool_max_size = 2**40
