"""How a data set of the user's own was made: what its ``dataset.json`` says, for a page to show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vae_core.basics.text import printable

_LONGEST = 400  # characters of a sentence
_MOST = 1000  # sentences, or files


@dataclass(frozen=True)
class History:
    """Where images came from, and what became of them.

    Attributes:
        source: name and kind of the source.
        added: date and time.
        split: a sentence on how the images were divided.
        reasons: why each suggested choice was made.
        notes: what was found in the source.
        rejected: files that could not be used, with the reason, up to 1,000.
        rejected_count: number of all these files.
        copies: images that are exact copies of others.
        left_out: copies that were left out, because they were in two parts of the source.
    """

    source: str
    added: str
    split: str
    reasons: list[str]
    notes: list[str]
    rejected: list[tuple[str, str]]
    rejected_count: int
    copies: int
    left_out: int


def history_of(record: Mapping[str, Any]) -> History:
    """Read the history in a ``dataset.json``. What is missing or of another type is left empty."""
    copies = record.get("duplicates")
    copies = copies if isinstance(copies, Mapping) else {}
    rejected = [each for each in _list(record.get("rejected")) if isinstance(each, Mapping)]
    pairs = [(_text(each.get("file")), _text(each.get("reason"))) for each in rejected]
    return History(
        _text(record.get("source")),
        _text(record.get("added")),
        _text(record.get("split")),
        _texts(record.get("reasons")),
        _texts(record.get("notes")),
        pairs,
        max(_count(record.get("rejected_count")), len(pairs)),
        _count(copies.get("copies")),
        _count(copies.get("left_out")),
    )


def _text(value: Any) -> str:
    return printable(value, _LONGEST) if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [text for each in _list(value) if (text := _text(each))]


def _list(value: Any) -> list[Any]:
    return value[:_MOST] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0
