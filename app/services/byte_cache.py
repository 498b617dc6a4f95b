"""Cached results of all pages, within one limit in bytes for the whole server.

When the limit is reached, the least recently used results leave first. A result that only sessions
used which have ended leaves with the last of them.
"""

import gc
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
import streamlit as st

from app.shell import sessions

MOST_BYTES = 384 * 2**20  # twice 60,000 colour images of 32×32, which are read from the disk
_MEASURED_AGAIN = 5.0  # seconds; some values grow, such as the work under way
V = TypeVar("V")
P = ParamSpec("P")


class Box(Generic[V]):
    """A place for a cached value, which a :class:`Budget` may empty.

    Attributes:
        content: the value, as a tuple because the value may be None; None if the box was emptied.
        users: sessions that used the value and have not ended.
    """

    def __init__(self, value: V) -> None:
        self.content: tuple[V] | None = (value,)
        self.users: set[str] = set()
        self.size = 0
        self.measured = -float("inf")


# Objects that values refer to, but that are there anyway, or are measured as values of their own.
_SHARED = (Box, type, ModuleType, FunctionType, BuiltinFunctionType, logging.Logger)


class Budget:
    """A limit of the bytes in boxes. Its methods may be called from any thread.

    Attributes:
        most: the limit. A single value may be larger.
        total: bytes in all boxes. A part that two values share is counted twice.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._boxes: OrderedDict[Box[Any], None] = OrderedDict()  # the least recently used first
        self._turn = threading.RLock()

    def keep(self, value: V) -> Box[V]:
        """Put a value into a new box, and empty the least recently used ones if necessary."""
        box = Box(value)
        with self._turn:
            self._boxes[box] = None
            self.use(box)
        return box

    def use(self, box: Box[Any]) -> bool:
        """Note that the present session uses a box. Return whether the box still has its value."""
        with self._turn:
            if box not in self._boxes:
                return False
            self._boxes.move_to_end(box)
            if (session := sessions.current()) is not None:
                box.users.add(session)
            if time.monotonic() - box.measured >= _MEASURED_AGAIN:
                self._measure(box)
                self._make_room_for(box)
            return True

    def empty(self, box: Box[Any]) -> None:
        """Remove the value from a box."""
        with self._turn:
            if box in self._boxes:
                del self._boxes[box]
                self.total -= box.size
                box.content = None

    def forget(self, ended: set[str]) -> None:
        """Empty the boxes that only these sessions used."""
        with self._turn:
            for box in list(self._boxes):
                if box.users and box.users <= ended:
                    self.empty(box)
                box.users -= ended

    def _measure(self, box: Box[Any]) -> None:
        size = size_of(box.content)
        self.total += size - box.size
        box.size, box.measured = size, time.monotonic()

    def _make_room_for(self, newest: Box[Any]) -> None:
        while self.total > self.most and (oldest := next(iter(self._boxes))) is not newest:
            self.empty(oldest)


BUDGET = Budget(MOST_BYTES)
"""The limit for all results that pages cache."""
sessions.at_end(BUDGET.forget)


def cached(
    *,
    max_entries: int | None = None,
    show_spinner: bool | str = False,
    hash_funcs: dict[str | type[Any], Any] | None = None,
) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """Cache the results of a function by its arguments, for all sessions, within the budget.

    The arguments are those of ``st.cache_resource``, which makes the keys, and lets a session wait
    for another one that computes the same result.
    """

    def decorate(function: Callable[P, V]) -> Callable[P, V]:
        @st.cache_resource(
            max_entries=max_entries,
            show_spinner=show_spinner,
            hash_funcs=hash_funcs,
            validate=BUDGET.use,
            on_release=BUDGET.empty,
        )
        @wraps(function)
        def boxed(*args: P.args, **kwargs: P.kwargs) -> Box[V]:
            return BUDGET.keep(function(*args, **kwargs))

        @wraps(function)
        def value(*args: P.args, **kwargs: P.kwargs) -> V:
            content = None
            while content is None:  # another thread may have emptied the box since
                content = boxed(*args, **kwargs).content
            return content[0]

        return value

    return decorate


def size_of(value: object) -> int:
    """Bytes of an object and of everything that it refers to, such as arrays, tensors and models.

    Functions, classes, modules, and values in boxes of their own are left out.
    """
    seen: dict[int, object] = {}  # keeps the objects, so that no id is used twice
    total, left = 0, [value]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen[id(each)] = each
        left.extend(gc.get_referents(each))
        if isinstance(each, np.ndarray):
            left.append(each.base)  # a view does not own its numbers
        storage = _storage_of(each)
        if storage is not None and (key := -storage.data_ptr()) not in seen:
            seen[key] = storage
            total += storage.nbytes()
        total += sys.getsizeof(each, 0)
    return total


def _storage_of(value: Any) -> Any:
    """Memory of a tensor; None for another object, and for a tensor inside ``vmap``.

    Work under way in another thread may hold such tensors.
    """
    if not hasattr(type(value), "untyped_storage"):
        return None
    try:
        return value.untyped_storage()
    except NotImplementedError:
        return None
