"""Images in NumPy files: one array of many images, in ``.npy`` or ``.npz``. No pickle is loaded."""

import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vae_core.basics.text import printable
from vae_core.data.decode import MIN_SIDE, ImageError, short_name
from vae_core.data.sources.base import LIMITS, MOST_FILES, Entry, Source
from vae_core.settings.data_sets import DataError

_CHUNK_BYTES = 32_000_000
_LONGEST_SIDE = 4096
_LABEL_BYTES = 200_000_000
_LONGEST_HEADER = 12_000  # bytes; NumPy itself reads at most 10,000
_DAMAGED = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


class ArraySource(Source):
    """The images of an array (N, H, W), (N, H, W, C) or (N, C, H, W), and labels if there are any.

    Args:
        path: a ``.npy`` or ``.npz`` file.
        scratch: where the array of a ``.npz`` is unpacked, to be mapped into memory.
        value_range: the value of white: ``1``, ``255`` or ``auto``.
        also_one: accept a single image, (H, W) or (H, W, C), as well.
    """

    kind = "array"
    arranged = True

    def __init__(
        self, path: Path, scratch: Path, value_range: str = "auto", *, also_one: bool = False
    ) -> None:
        super().__init__(path)
        self._also_one = also_one
        self._name = short_name(path.name)
        self._labels: list[str | None] | None = None
        try:
            images = self._opened(scratch)
            self._images = images.reshape(self._of_many(images.shape))
        except DataError:
            raise
        except _DAMAGED as error:
            raise DataError(
                f"{self._name} is damaged or cut off ({printable(str(error), 120)}); save it again."
            ) from error
        self._moved = self._channel_axis(self._images.shape)
        self._white = self._white_of(value_range)

    def entries(self) -> Iterator[Entry]:
        """Convert one image after the other to uint8."""
        for index in range(len(self._images)):
            label = self._labels[index] if self._labels else None
            yield Entry(f"images[{index}]", self._image(index), label)

    def _image(self, index: int) -> NDArray[np.uint8] | ImageError:
        image = np.asarray(self._images[index])
        if image.dtype.kind == "f" and not np.isfinite(image).all():
            return ImageError(
                f"Image {index} contains values that are not finite numbers (NaN or infinity)."
            )
        if self._moved and image.ndim == 3:
            image = np.moveaxis(image, 0, 2)
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[:, :, 0]
        if image.dtype == np.uint8 and self._white == 255:
            return np.ascontiguousarray(image)
        scaled = image.astype(np.float64) * (255 / self._white)
        return np.rint(scaled.clip(0, 255)).astype(np.uint8)

    # ---- opening

    def _opened(self, scratch: Path) -> NDArray[Any]:
        if self.path.suffix.lower() == ".npy":
            with self.path.open("rb") as file:
                self._check(*_header(file), "The array")
            return np.load(self.path, mmap_mode="r", allow_pickle=False)
        with zipfile.ZipFile(self.path) as archive:
            names = [each.filename for each in archive.infolist()[:1000]]
            chosen = self._chosen(archive, names)
            with archive.open(chosen) as file:
                self._check(*_header(file), f"The array {_stem(chosen)!r}")
            self._check_room(archive.getinfo(chosen).file_size, scratch)
            target = scratch / "array.npy"
            with archive.open(chosen) as packed, target.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
            images = np.load(target, mmap_mode="r", allow_pickle=False)
            if "labels.npy" in names and chosen != "labels.npy":
                self._labels = self._read_labels(archive, len(images))
        return images

    def _chosen(self, archive: zipfile.ZipFile, names: list[str]) -> str:
        """Choose the array of images: the one called ``images``, else the only one that can be."""
        arrays = [name for name in names if name.endswith(".npy")]
        if "images.npy" in arrays:
            return "images.npy"
        large = []
        for name in arrays:
            with archive.open(name) as file:
                shape, _ = _header(file)
            if len(self._of_many(shape)) in (3, 4):
                large.append(name)
        if len(large) != 1:
            found = ", ".join(printable(_stem(each), 30) for each in (large or arrays)[:8])
            many = "several arrays that may be images" if large else "no array of images"
            raise DataError(
                f"{self._name} has {many} ({found or 'it is empty'}); call the right one 'images'."
            )
        return large[0]

    def _check_room(self, size: int, scratch: Path) -> None:
        free = shutil.disk_usage(scratch).free
        if size > LIMITS.unpacked_bytes or size > free - 500_000_000:
            raise DataError(
                f"{self._name} unpacks to {size / 1e9:,.1f} GB, which is too much here; split it."
            )

    def _of_many(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array of one image, where a single one is accepted; else as it is."""
        one = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
        return (1, *shape) if one and self._also_one else shape

    def _check(self, shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> None:
        """Check an array by its header, before anything of it is read."""
        shape = self._of_many(shape)
        what = f"{what} in {self._name}"
        if dtype.hasobject:
            raise DataError(
                f"{what} holds Python objects, which only a pickle can load; pickles are never "
                "loaded. Save it as an array of numbers."
            )
        if dtype.kind not in "buif":
            raise DataError(f"{what} holds {dtype}, not numbers; save it as numbers.")
        if len(shape) not in (3, 4):
            dimensions = "×".join(map(str, shape)) or "one value"
            raise DataError(
                f"{what} has the shape {dimensions}; images have (N, H, W), (N, H, W, C) or "
                "(N, C, H, W)."
            )
        if min(shape) < 1:
            raise DataError(f"{what} has no images: its shape is {'×'.join(map(str, shape))}.")
        if shape[0] > MOST_FILES:
            raise DataError(f"{what} has {shape[0]:,} images, at most {MOST_FILES:,} are read.")
        self._channel_axis(shape)

    def _channel_axis(self, shape: tuple[int, ...]) -> bool:
        """Whether the channels come before height and width."""
        first = len(shape) == 4 and shape[3] not in (1, 3, 4)
        if first and shape[1] not in (1, 3, 4):
            raise DataError(
                f"{self._name} has the shape {'×'.join(map(str, shape))}, with no axis of 1, 3 or "
                "4 channels; images have (N, H, W, C) or (N, C, H, W)."
            )
        height, width = shape[2:] if first else shape[1:3]
        if min(height, width) < MIN_SIDE or max(height, width) > _LONGEST_SIDE:
            raise DataError(
                f"{self._name} has images of {height:,}×{width:,} pixels; sides are {MIN_SIDE} to "
                f"{_LONGEST_SIDE:,}."
            )
        return first

    def _white_of(self, value_range: str) -> float:
        """Find the value that becomes white, and say so."""
        if self._images.dtype == np.bool_:
            return 1
        lowest, largest = self._extremes()
        if lowest < 0:
            raise DataError(
                f"{self._name} has values from {lowest:g} to {largest:g}; bring them to 0 to 1 or "
                "0 to 255."
            )
        if value_range != "auto":
            return float(value_range)
        white = 1 if largest <= 1 else max(255, largest)
        if white != 255 or self._images.dtype != np.uint8:
            self.notes.append(
                f"The largest value of the array is {largest:g}, so {white:g} was taken for white; "
                "--range 1 or 255 overrules this."
            )
        return white

    def _extremes(self) -> tuple[float, float]:
        """Smallest and largest finite value, 0 if there is none."""
        rows = max(1, _CHUNK_BYTES // max(1, self._images[:1].nbytes))
        lowest = largest = 0.0
        for start in range(0, len(self._images), rows):
            part = np.asarray(self._images[start : start + rows])
            part = part[np.isfinite(part)] if part.dtype.kind == "f" else part
            if part.size:
                lowest, largest = min(lowest, float(part.min())), max(largest, float(part.max()))
        return lowest, largest

    def _read_labels(self, archive: zipfile.ZipFile, images: int) -> list[str | None]:
        about = archive.getinfo("labels.npy")
        with archive.open(about) as file:
            shape, dtype = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"The labels in {self._name} hold Python objects, which only a pickle can load; "
                "save them as numbers or texts."
            )
        if shape not in ((images,), (images, 1)) or about.file_size > _LABEL_BYTES:
            shown = "×".join(map(str, shape))
            raise DataError(
                f"{self._name} has labels of shape {shown} for {images:,} images; one label for "
                "each image is needed."
            )
        with archive.open(about) as file:
            labels = npy.read_array(file, allow_pickle=False)
        return [_label(each) for each in labels.reshape(images).tolist()]


def _label(value: Any) -> str | None:
    if isinstance(value, float):
        if value != value:
            return None
        value = int(value) if value.is_integer() else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _stem(name: str) -> str:
    return name.removesuffix(".npy")


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and type of an array from the beginning of its file."""
    stream: BinaryIO = io.BytesIO(file.read(_LONGEST_HEADER))  # it states its own length
    version = npy.read_magic(stream)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    shape, _, dtype = readers[version](stream)
    if not all(isinstance(side, int) and -1 < side < 2**40 for side in shape):
        raise ValueError("its shape is none")
    return shape, dtype
