"""Images in Parquet files, with an image column as Hugging Face data sets have it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vae_core.basics.text import printable
from vae_core.data.decode import MAX_BYTES, ImageError, short_name
from vae_core.data.sources.base import MOST_FILES, Entry, Source
from vae_core.settings.data_sets import DataError

PARQUET = ".parquet"
_IMAGES = ("image", "img", "images", "picture")
_LABELS = ("label", "labels", "fine_label", "class", "target")
_ROWS = 32  # read at once
_GROUP_BYTES = 1_000_000_000  # of the image column in one row group


class ParquetSource(Source):
    """The rows of Parquet files: a column of image files and perhaps one of labels.

    Files called ``train-…``, ``validation-…`` and ``test-…`` are these parts.
    """

    kind = "Parquet file"
    arranged = True

    def __init__(self, path: Path, tables: Sequence[Path]) -> None:
        super().__init__(path)
        self._tables = tables

    def entries(self) -> Iterator[Entry]:
        """Read a few rows at a time."""
        try:
            from pyarrow import ArrowException
        except ImportError as error:
            raise DataError(
                "Parquet files need the package pyarrow; install it, or give images as files."
            ) from error
        for table in self._tables:
            try:
                yield from self._rows(table)
            except (ArrowException, OSError, ValueError) as error:
                if isinstance(error, DataError):
                    raise
                reason = printable(str(error).split("\n")[0], 120)
                raise DataError(
                    f"{short_name(table.name)} cannot be read as Parquet ({reason})."
                ) from error

    def _rows(self, path: Path) -> Iterator[Entry]:
        from pyarrow.parquet import ParquetFile

        if path.is_symlink():
            raise DataError(f"{short_name(path.name)} is a symbolic link; give the file itself.")
        with ParquetFile(path) as file:
            schema = file.schema_arrow
            images = _image_column(schema, path)
            labels = next((name for name in _LABELS if _is_label(schema, name)), None)
            _check_groups(file.metadata, path)
            names = _class_names(schema, labels)
            split = path.name.split("-")[0].split(".")[0].lower()
            columns = [images] + ([labels] if labels else [])
            index = 0
            for batch in file.iter_batches(_ROWS, columns=columns, use_threads=False):
                rows = batch.to_pydict()
                for row, value in enumerate(rows[images]):
                    label = _label(rows[labels][row], names) if labels else None
                    yield Entry(f"{path.stem}[{index}]", _bytes(value, index), label, split)
                    index += 1


def _image_column(schema: Any, path: Path) -> str:
    from pyarrow import types

    def holds_images(name: str) -> bool:
        kind = schema.field(name).type
        if types.is_struct(kind):
            kind = next((each.type for each in kind if each.name == "bytes"), None)
        return kind is not None and (types.is_binary(kind) or types.is_large_binary(kind))

    found = [name for name in schema.names if holds_images(name)]
    best = next((name for name in _IMAGES if name in found), found[0] if found else None)
    if best is None:
        columns = printable(", ".join(schema.names), 200)
        raise DataError(
            f"{short_name(path.name)} has no column of images (its columns: {columns}); a column "
            "must hold the bytes of image files."
        )
    return best


def _is_label(schema: Any, name: str) -> bool:
    from pyarrow import types

    if name not in schema.names:
        return False
    kind = schema.field(name).type
    return any(
        test(kind)
        for test in (types.is_integer, types.is_string, types.is_large_string, types.is_boolean)
    )


def _check_groups(metadata: Any, path: Path) -> None:
    """Check the sizes that the end of a file states, before any row is read."""
    name = short_name(path.name)
    if metadata.num_rows > MOST_FILES:
        raise DataError(f"{name} has {metadata.num_rows:,} rows, at most {MOST_FILES:,} are read.")
    for index in range(metadata.num_row_groups):
        size = metadata.row_group(index).total_byte_size
        if size > _GROUP_BYTES:
            raise DataError(
                f"{name} has a row group of {size / 1e9:,.1f} GB, at most "
                f"{_GROUP_BYTES / 1e9:.0f} GB are read; write it with smaller row groups."
            )


def _class_names(schema: Any, labels: str | None) -> list[str]:
    """Read the names of the classes that Hugging Face writes beside the columns."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        names = about["info"]["features"][labels]["names"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return []
    return [str(each) for each in names] if isinstance(names, list) else []


def _label(value: Any, names: Sequence[str]) -> str | None:
    if value is None or value == -1:
        return None
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value)


def _bytes(value: Any, index: int) -> bytes | ImageError:
    content = value.get("bytes") if isinstance(value, dict) else value
    if not content:
        return ImageError(f"Row {index} has no bytes of an image.")
    if len(content) > MAX_BYTES:
        return ImageError(f"The image in row {index} has over {MAX_BYTES / 1e6:.0f} MB.")
    return content
