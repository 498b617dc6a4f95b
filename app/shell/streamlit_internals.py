"""Everything the app uses of Streamlit that Streamlit does not document.

No other module of the app uses such a name; tests/test_architecture.py checks that. Seen with
Streamlit 1.67 and Starlette 1.10. Style sheets also select elements by ``data-testid``, which is
not documented either; the browser tests check what they do.
"""

from starlette.formparsers import MultiPartParser
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import FragmentHandledException

__all__ = ["DeltaGenerator", "FragmentHandledException"]

# DeltaGenerator: the type of a container, for annotations alone. If it moves, only this import
# breaks.

# FragmentHandledException: raised out of a fragment whose error Streamlit has reported already. If
# it goes, `errors.guard` reports such an error a second time.

# spool_max_size: Streamlit's server parses uploads with Starlette, which would let a file of more
# than a megabyte pass through a temporary file. If the attribute goes, images that visitors give
# touch the disk again, against `app.parts.text.PRIVACY`; the test of this module then fails.
MultiPartParser.spool_max_size = 2**40
