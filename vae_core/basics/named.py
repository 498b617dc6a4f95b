"""Objects named by a text, imported when they are first needed."""

import pkgutil
from typing import Any


def load(name: str) -> Any:
    """Import the object called ``"package.module:Name"``.

    Tables of choices name their classes in this way, so that a form or ``--help`` can list them
    without loading PyTorch.

    Raises:
        ImportError, AttributeError: if the module or the object does not exist.
    """
    return pkgutil.resolve_name(name)
