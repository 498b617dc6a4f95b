"""Source text of the functions of ``vae_core`` that compute what an equation says."""

import importlib
import inspect
import textwrap
from collections.abc import Sequence
from functools import cached_property


def sources(names: Sequence[str]) -> str:
    """Return the source of each of the names, one after the other.

    Args:
        names: "module:object", for example "vae_core.inference.elbo:ElboTerms.joint_form".
    """
    return "\n\n".join(f"# {name.replace(':', '.')}\n{_source(name)}" for name in names)


def _source(name: str) -> str:
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    return textwrap.dedent(inspect.getsource(found)).strip()  # type: ignore[arg-type]
