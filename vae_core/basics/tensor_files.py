"""Safetensors files of a folder that somebody else may have made: headers checked, size limited."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from vae_core.basics.errors import UserError
from vae_core.basics.plain_files import open_plain

_MAX_HEADER = 4_000_000
_MAX_TENSORS = 20_000
_LENGTH = 8  # bytes in front of the header that hold its length
_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip


class TensorFileError(UserError, ValueError):
    """A file is not a complete safetensors file; the message continues "the file …: it …"."""


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file: what the file contains, before it is read.

    Attributes:
        shapes: shape of each tensor.
        types: type of the numbers of each tensor, as in the file, such as ``"F32"``.
        metadata: texts that were written with the tensors.
        size: bytes of all tensors.
    """

    shapes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, str]
    metadata: Mapping[str, str]
    size: int


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, and check it against the size of the file.

    Raises:
        TensorFileError: if the file is damaged.
        NotAPlainFile, OSError: as for :func:`vae_core.basics.plain_files.open_plain`.
    """
    with open_plain(path) as file:
        return _header(file)


def read_tensors(path: Path, most: int) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Read all tensors of a safetensors file and its metadata.

    Args:
        most: largest size of all tensors in bytes.

    Raises:
        TensorFileError: if the file is damaged or larger.
        NotAPlainFile, OSError: as for :func:`vae_core.basics.plain_files.open_plain`.
    """
    with open_plain(path) as file:
        header = _header(file)
        if header.size > most:
            size, limit = header.size / 1e6, most / 1e6
            raise TensorFileError(f"it has {size:,.0f} MB, not at most {limit:,.0f} MB")
        file.seek(0)
        try:
            return load(file.read()), header.metadata
        except SafetensorError as error:
            raise TensorFileError(str(error)) from error


def _header(file: BinaryIO) -> Header:
    whole = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(_LENGTH), "little")
    if whole < _LENGTH or not 0 < length <= min(_MAX_HEADER, whole - _LENGTH):
        raise TensorFileError("it is not a complete safetensors file")
    try:
        entries = json.loads(file.read(length))
        metadata = dict(entries.pop("__metadata__", {}))
        if len(entries) > _MAX_TENSORS:
            raise TensorFileError(f"it has more than {_MAX_TENSORS:,} tensors")
        shapes = {name: tuple(map(_count, entry["shape"])) for name, entry in entries.items()}
        types = {name: entry["dtype"] for name, entry in entries.items()}
        size = sum(prod(shapes[name]) * _BYTES[types[name]] for name in shapes)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, TensorFileError):
            raise
        raise TensorFileError("its header is damaged") from error
    if whole != _LENGTH + length + size:
        raise TensorFileError("it has not the size that its header states")
    return Header(shapes, types, metadata, size)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**48:
        raise ValueError(value)
    return value
