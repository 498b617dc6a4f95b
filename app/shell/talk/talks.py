"""Talks as values: an ordered list of screens with notes, as a file and as a text in an address.

A talk may come from anybody. So its sizes are bounded, and its addresses can only be those of the
app's own pages, without a host.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from app.shell.navigation import MOVED, PAGES
from vae_core.basics.errors import UserError
from vae_core.basics.text import printable

MOST_STEPS = 100
MOST_NOTE, MOST_ADDRESS = 300, 2000  # characters
MOST_BYTES = 256 * 1024
MOST_LINK = 8000  # characters; servers refuse much longer addresses
OF_THE_FRAME = ("talk", "talk_step", "present", "embed", "embed_options")
"""Parameters of an address that do not belong to the screen."""
_FORMAT, _VERSION = "elbo_room_talk", 1
_NAME = re.compile(r"[\w.-]{1,64}")
_FIRST = next(iter(PAGES))
_MOST_QUOTED = 60


class TalkError(UserError, ValueError):
    """A talk cannot be read, or cannot be as it was asked for."""


@dataclass(frozen=True)
class Step:
    """A screen of a talk.

    Attributes:
        page: name of the page, as in :data:`app.shell.navigation.PAGES`.
        query: parameters of its address, URL-encoded.
        note: a line for the speaker; may be empty.
    """

    page: str
    query: str
    note: str = ""

    @property
    def address(self) -> str:
        """The address relative to the app, such as ``latent?tab=Prior``."""
        page = "" if self.page == _FIRST else self.page
        return f"{page}?{self.query}" if self.query else page

    @property
    def title(self) -> str:
        """The title of the page, with the open tab if the address names one."""
        tab = parse_qs(self.query).get("tab", [""])[-1]
        return f"{PAGES[self.page].title} · {tab}" if tab else PAGES[self.page].title


@dataclass(frozen=True)
class Talk:
    """Screens in the order in which they are shown."""

    steps: tuple[Step, ...] = ()

    def plus(self, step: Step) -> "Talk":
        """Add a screen at the end.

        Raises:
            TalkError: if the talk has as many screens as it can have.
        """
        return _checked([*self.steps, step])

    def place_of(self, step: Step, index: int) -> int | None:
        """Where a screen is now that was at ``index``; None if it is gone.

        A click may come together with a note that was typed before it, in either order.
        """
        same = [place for place, each in enumerate(self.steps) if each.address == step.address]
        return min(same, key=lambda place: abs(place - index), default=None)

    def without(self, index: int) -> "Talk":
        """Remove a screen."""
        return Talk(self.steps[:index] + self.steps[index + 1 :])

    def moved(self, index: int, by: int) -> "Talk":
        """Move a screen forward or back; at either end it stays."""
        steps = list(self.steps)
        steps.insert(max(0, index + by), steps.pop(index))
        return Talk(tuple(steps))

    def noted(self, index: int, note: str) -> "Talk":
        """Write a note to a screen, shortened if it is too long."""
        steps = list(self.steps)
        steps[index] = replace(steps[index], note=printable(" ".join(note.split()), MOST_NOTE))
        return Talk(tuple(steps))


def screen(page: str, query: Mapping[str, list[str]]) -> Step:
    """Make a step of a page and the parameters of its address.

    Raises:
        TalkError: if there is no such page, or the address is too long.
    """
    return step_of(f"{page}?{urlencode(query, doseq=True)}")


def step_of(address: object, note: object = "") -> Step:
    """Make a step of an address relative to the app.

    Raises:
        TalkError: if it is not an address of one of the pages.
    """
    if not isinstance(address, str) or not isinstance(note, str):
        raise TalkError("its address and its note must be texts")
    if len(address) > MOST_ADDRESS:
        raise TalkError(f"its address is longer than {MOST_ADDRESS:,} characters")
    note = " ".join(note.split())
    if len(note) > MOST_NOTE:
        raise TalkError(f"its note is longer than {MOST_NOTE} characters")
    try:
        parts = urlsplit(address)
        found = parse_qs(parts.query, keep_blank_values=True, max_num_fields=60)
    except ValueError:
        raise TalkError("its address cannot be read") from None
    page = parts.path.removeprefix("/") or _FIRST
    page = MOVED.get(page, page)
    if parts.scheme or parts.netloc or parts.fragment or page not in PAGES:
        said = printable(address, _MOST_QUOTED)
        raise TalkError(f"“{said}” is not an address of a page of ELBO Room")
    kept = {name: values for name, values in found.items() if name not in OF_THE_FRAME}
    texts = [*kept, *(value for values in kept.values() for value in values)]
    if not all(map(_NAME.fullmatch, kept)) or not all(map(str.isprintable, texts)):
        raise TalkError("its address has parameters that no page has")
    return Step(page, urlencode(kept, doseq=True), printable(note, MOST_NOTE))


def read(content: bytes) -> Talk:
    """Read the file of a talk.

    Raises:
        TalkError: with a sentence that says why it was refused.
    """
    if len(content) > MOST_BYTES:
        raise TalkError(f"This file is larger than {MOST_BYTES // 1024} kB, so it is not a talk.")
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise TalkError("This file is not a talk: it is not JSON.") from None
    if not isinstance(found, dict) or _FORMAT not in found:
        raise TalkError("This file is JSON, but not a talk that ELBO Room has saved.")
    version, steps = found[_FORMAT], found.get("steps")
    if version != _VERSION:
        raise TalkError("This talk was saved by another version of ELBO Room.")
    if not isinstance(steps, list):
        raise TalkError("This talk has no list of steps.")
    if len(steps) > MOST_STEPS:
        raise TalkError(f"This talk has {len(steps):,} steps. A talk has at most {MOST_STEPS}.")
    return _checked(_steps(steps))


def _steps(steps: list[Any]) -> Iterable[Step]:
    for number, each in enumerate(steps, 1):
        try:
            if not isinstance(each, dict):
                raise TalkError("it is not an address with a note")
            yield step_of(each.get("address"), each.get("note", ""))
        except TalkError as error:
            raise TalkError(f"Step {number} of this talk is refused: {error}.") from None


def _checked(steps: Iterable[Step]) -> Talk:
    talk = Talk(tuple(steps))
    if len(talk.steps) > MOST_STEPS:
        raise TalkError(f"A talk has at most {MOST_STEPS} steps. Remove one first.")
    return talk


def write(talk: Talk) -> str:
    """Write a talk as JSON, which :func:`read` reads."""
    return json.dumps(_record(talk), ensure_ascii=False, indent=2) + "\n"


def _record(talk: Talk) -> dict[str, Any]:
    steps = [{"address": f"{s.page}?{s.query}", "note": s.note} for s in talk.steps]
    return {_FORMAT: _VERSION, "steps": steps}


def packed(talk: Talk) -> str:
    """Write a talk as a short text for an address; an empty text if it would be too long."""
    if not talk.steps:
        return ""
    content = json.dumps(_record(talk), ensure_ascii=False, separators=(",", ":")).encode()
    text = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
    return text if len(text) <= MOST_LINK else ""


def unpacked(text: str) -> Talk:
    """Read a talk from the text of an address.

    Raises:
        TalkError: with a sentence that says why it was refused.
    """
    refused = "The talk in this link cannot be read. Ask for the whole link, or for the file."
    if len(text) > MOST_LINK or not re.fullmatch(r"[\w-]+", text, re.ASCII):
        raise TalkError(refused)
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = zlib.decompressobj().decompress(content, MOST_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError):
        raise TalkError(refused) from None
    return read(found)
