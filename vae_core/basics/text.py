"""Texts from elsewhere: names of files, titles of runs, messages. They may hold any character."""

import logging

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also in full width


def printable(text: str, longest: int = 1000) -> str:
    """Make a text safe for one line of a terminal or a log.

    The text is shortened, and control characters, line breaks and invisible characters are
    replaced.
    """
    text = "".join(c if c.isprintable() else "�" for c in text[: longest + 1])
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def printable_lines(text: str) -> str:
    """Replace every control character of a text but its line breaks and tabs."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


class PlainFormatter(logging.Formatter):
    """Formats log records, without control characters of names and titles in them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, with its traceback if it has one."""
        return printable_lines(super().format(record))


def as_sentence(text: str) -> str:
    """End a text with exactly one full stop, unless it ends with ``!``, ``?`` or ``…``."""
    text = text.strip()
    return text if text.endswith(("!", "?", "…")) else text.rstrip(".") + "."


def without_formula(text: str) -> str:
    """Put an apostrophe before a cell of a table that a spreadsheet would read as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
