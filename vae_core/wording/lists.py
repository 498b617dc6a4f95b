"""Lists inside a sentence."""

from collections.abc import Iterable


def listed(parts: Iterable[str]) -> str:
    """Join one part or more as a sentence lists them: ``"A, B and C"``."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def listed_in_bold(names: Iterable[str]) -> str:
    """Join names as :func:`listed` does, each in bold Markdown: ``"**A** and **B**"``."""
    return listed(f"**{name}**" for name in names)
