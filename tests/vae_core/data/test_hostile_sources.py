"""More hostile sources of a data set: odd names, giants that are not there, odd arrays."""

import csv
import io
import os
import socket
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    pictures,
    use_folder,
    write_files,
    write_zip,
)
from vae_core import AddOptions, add_dataset, load_dataset
from vae_core.basics.errors import UserError
from vae_core.data.kept import kept_datasets
from vae_core.data.sources import parquet as parquet_files

MOST_MEMORY = 90_000_000
Make = Callable[[Path], Path]


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def bounded(source: Path, options: AddOptions | None = None) -> None:
    """Add a data set, and check how much memory that took."""
    tracemalloc.start()
    try:
        add_dataset("hostile", source, options)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY


# ---- refused as a whole


def npy(shape: str, descr: str = "'|u1'", order: str = "False") -> bytes:
    """The header of an array file, without any data."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def sparse(path: Path, head: bytes, size: int) -> Path:
    """A file with a hole: it states a size that takes no room."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


def loop(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a"


def saved(path: Path, values: Any, **options: Any) -> Path:
    np.save(path, values, **options)
    return path


def archived(path: Path, **values: Any) -> Path:
    np.savez(path, **values)
    return path


def zero_bomb(path: Path) -> Path:
    """An archive of files that unpack to 15 MB of nothing each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(3):
            archive.writestr(f"{index}.bmp", bytes(15_000_000))
    return path


def liar(path: Path) -> Path:
    """An archive whose list states small files that are in fact large."""
    write_zip(path, {f"{i}.png": encoded(p) for i, p in enumerate(pictures(60))})
    content = bytearray(path.read_bytes())
    place = -1
    while (place := content.find(b"PK\1\2", place + 1)) >= 0:
        content[place + 24 : place + 28] = struct.pack("<I", 7)
    path.write_bytes(content)
    return path


def encrypted(path: Path) -> Path:
    write_zip(path, class_folders())
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = -1
        while (place := content.find(signature, place + 1)) >= 0:
            content[place + offset] |= 1
    path.write_bytes(content)
    return path


def parquet(path: Path, table: Any, **options: Any) -> Path:
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, path, **options)
    return path


def lists(path: Path) -> Path:
    import pyarrow

    return parquet(path, pyarrow.table({"image": [[1, 2, 3]] * 60, "label": [0] * 60}))


def texts_as_images(path: Path) -> Path:
    import pyarrow

    return parquet(path, pyarrow.table({"image": [b"no image"] * 60}))


def squeezed(path: Path) -> Path:
    """A Parquet file of 30 MB of zeros in one row group of a few kilobytes."""
    import pyarrow

    table = pyarrow.table({"image": [bytes(1_000_000)] * 30})
    return parquet(path, table, compression="zstd", use_dictionary=False)


REFUSED: dict[str, tuple[Make, str]] = {
    "a pipe": (lambda t: pipe(t / "a.zip"), "neither a folder nor a file"),
    "a pipe called npy": (lambda t: pipe(t / "a.npy"), "neither a folder nor a file"),
    "a device": (lambda _: Path("/dev/zero"), "neither a folder nor a file"),
    "a socket": (lambda t: listening(t / "s"), "neither a folder nor a file"),
    "a loop of links": (lambda t: loop(t / "x"), "does not exist"),
    "a folder of pipes": (
        lambda t: pipe(write_files(t / "x", {".keep": b""}) / "a.png").parent,
        "a pipe or a device",
    ),
    "an array that is not there": (
        lambda t: write_files(t, {"a.npy": npy("(60, 128, 128)")}) / "a.npy",
        "damaged or cut off",
    ),
    "more images than are read": (
        lambda t: sparse(t / "a.npy", npy("(10000000, 28, 28)"), 7_840_000_128),
        "10,000,000 images, at most 300,000",
    ),
    "an image of giant sides": (
        lambda t: sparse(t / "a.npy", npy("(60, 60000, 60000)"), 10**11),
        "images of 60,000×60,000 pixels",
    ),
    "a negative shape": (
        lambda t: write_files(t, {"a.npy": npy("(-60, 28, 28)") + bytes(99)}) / "a.npy",
        "damaged or cut off",
    ),
    "no images at all": (
        lambda t: saved(t / "a.npy", np.zeros((0, 28, 28))),
        "has no images: its shape is 0×28×28",
    ),
    "a giant header": (
        lambda t: sparse(t / "a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", 3 * 10**9),
        "damaged or cut off",
    ),
    "a header that is a program": (
        lambda t: write_files(t, {"a.npy": npy("(__import__('os').abort(),)")}) / "a.npy",
        "damaged or cut off",
    ),
    "a header of deep brackets": (
        lambda t: write_files(t, {"a.npy": npy("(" * 5000 + ")" * 5000)}) / "a.npy",
        "damaged or cut off",
    ),
    "complex numbers": (
        lambda t: saved(t / "a.npy", pictures(60).astype(np.complex64)),
        "holds complex64, not numbers",
    ),
    "dates": (lambda t: saved(t / "a.npy", np.zeros((60, 8, 8), "M8[s]")), "not numbers"),
    "records": (lambda t: saved(t / "a.npy", np.zeros((60, 8, 8), "i4,f4")), "not numbers"),
    "many arrays": (
        lambda t: archived(t / "a.npz", **{f"x{i}": pictures(2) for i in range(300)}),
        "several arrays that may be images (x0, x1",
    ),
    "an npz that is a zip of images": (
        lambda t: write_zip(t / "a.npz", class_folders()),
        "no array of images (it is empty)",
    ),
    "bombs in an archive": (lambda t: zero_bomb(t / "a.zip"), "suspiciously many bytes"),
    "an archive that lies": (lambda t: liar(t / "a.zip"), "no image that can be read"),
    "an encrypted archive": (lambda t: encrypted(t / "a.zip"), "is encrypted"),
    "Parquet with lists": (lambda t: lists(t / "a.parquet"), "no column of images"),
    "Parquet without images": (lambda t: texts_as_images(t / "a.parquet"), "not an image"),
    "a squeezed Parquet file": (lambda t: squeezed(t / "a.parquet"), "a row group of"),
    "a giant that is not there": (
        lambda t: sparse(t / "a.zip", b"PK\3\4", 30 * 10**9),
        "at most 20,000 MB are read",
    ),
    "a giant tar that is not there": (
        lambda t: sparse(t / "a.tar", b"", 10**9),
        "contains no files",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_source_that_cannot_be_used_gets_a_sentence_and_leaves_nothing(
    tmp_path: Path, kept_in: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    make, reason = REFUSED[case]
    monkeypatch.setattr(parquet_files, "_GROUP_BYTES", 20_000_000)  # instead of a gigabyte
    source = make(tmp_path)
    with pytest.raises(UserError) as refused:
        bounded(source)
    assert reason in str(refused.value)
    assert str(refused.value).endswith((".", "'images'."))
    assert "\n" not in str(refused.value)
    assert list(kept_in.iterdir()) == []


# ---- used, but for what is listed


def wide_table() -> bytes:
    return b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n" + b"," * 999_999 + b"\n"


def long_table() -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("file", "label"))
    rows.writerows((f"gone/x{i}.png", "x") for i in range(20_000))
    return text.getvalue().encode()


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def text_bomb() -> bytes:
    """A PNG with a comment that unpacks to 100 MB."""
    whole = encoded(pictures(1, seed=8)[0])
    comment = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 1)
    return whole[:33] + chunk(b"zTXt", comment) + whole[33:]


def wrong_checksum() -> bytes:
    content = bytearray(encoded(pictures(1, (40, 40), 3)[0]))
    content[content.find(b"IDAT") + 100] ^= 255
    return bytes(content)


REJECTED: dict[str, tuple[dict[str, bytes], str]] = {
    "a table of a million columns": ({"t.csv": wide_table()}, "1,000,000 columns, so it was"),
    "a table of one cell of megabytes": ({"t.csv": b"file,label\n" + b"x" * 9**7}, "t.csv"),
    "a table with NUL": ({"t.csv": b"file,lab\0el\n1,2\n"}, "no columns"),
    "corrupt in the middle": ({"x.png": wrong_checksum()}, "damaged"),
    "a PNG with a bomb in a comment": ({"x.png": text_bomb()}, "damaged"),
    "an image of one row": ({"x.png": encoded(pictures(1, (1, 4000))[0])}, "at least 4×4"),
    "a TIFF of NaN": (
        {"x.tif": encoded(np.full((9, 9), np.nan, np.float32), "TIFF")},
        "not finite numbers",
    ),
    "a script": ({"x.png": b"#!/bin/sh\nrm -rf /\n"}, "not an image"),
    "an SVG with an entity": ({"x.svg": b"<!DOCTYPE x [<!ENTITY a 'b'>]>"}, "not an image"),
    "PostScript": ({"x.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}, "not an image"),
}  # fmt: skip


@pytest.mark.parametrize("case", REJECTED)
def test_a_bad_file_is_listed_and_the_rest_is_used(tmp_path: Path, case: str) -> None:
    bad, reason = REJECTED[case]
    bounded(write_files(tmp_path / "x", class_folders() | bad))
    kept = kept_datasets()["hostile"]
    listed = [f"{each['file']}: {each['reason']}" for each in kept.record["rejected"]]
    assert len(listed) == 1
    assert reason in listed[0]
    assert sum(kept.info.sizes.values()) == 60
    assert kept.info.classes == ("cats", "dogs")


@pytest.mark.slow
def test_a_table_of_missing_files_is_listed_briefly(tmp_path: Path) -> None:
    bounded(write_files(tmp_path / "x", class_folders() | {"t.csv": long_table()}))
    record = kept_datasets()["hostile"].record
    assert record["rejected_count"] == 20_000
    assert len(record["rejected"]) == 1000
    assert record["classes"] == []


NAMES = ["new\nline.png", "\x1b[2J.png", "a\u202eb.png", "ü" * 60 + ".png", "-rf.png", "=1+2.png"]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_odd_names_are_used_and_shown_in_one_harmless_line(tmp_path: Path, kind: str) -> None:
    files = class_folders(54) | {f"cats/{n}": encoded(pictures(1, seed=70 + i)[0])
                                 for i, n in enumerate(NAMES)}  # fmt: skip
    source = tmp_path / f"a.{kind}"
    if kind == "zip":
        write_zip(source, files)
    else:
        write_files(tmp_path / "a", files)
        source = tmp_path / "a"
    if kind == "tar":
        source = tmp_path / "a.tar"
        with tarfile.open(source, "w") as tar:
            tar.add(tmp_path / "a", ".")
    bounded(source)
    kept = kept_datasets()["hostile"]
    lines = (kept.folder / "names.txt").read_text("utf-8").splitlines()
    assert len(lines) == sum(kept.info.sizes.values()) == 60
    assert all(line.isprintable() for line in lines)


def test_a_name_with_nul_and_two_of_one_name_are_files_of_their_own(tmp_path: Path) -> None:
    files = {f"{index:02}.png": encoded(picture) for index, picture in enumerate(pictures(60))}
    content = write_zip(tmp_path / "a.zip", files).read_bytes()
    for index in range(30):
        content = content.replace(b"%02d.png" % index, b"xx.png" if index else b"00\0png")
    path = tmp_path / "b.zip"
    path.write_bytes(content)
    bounded(path)
    assert sum(kept_datasets()["hostile"].info.sizes.values()) == 60


def test_links_and_devices_in_a_tar_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in class_folders().items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
        for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            about = tarfile.TarInfo(f"odd{ord(kind)}.png")
            about.type, about.linkname = kind, "/etc/passwd"
            tar.addfile(about)
    bounded(path)
    reasons = [each["reason"] for each in kept_datasets()["hostile"].record["rejected"]]
    assert [("link" in each, "plain file" in each) for each in reasons] == [
        (True, False), (True, False), (False, True), (False, True),
    ]  # fmt: skip


def test_folders_that_contain_themselves_are_walked_once(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "a", class_folders())
    (folder / "cats" / "again").symlink_to(folder, target_is_directory=True)
    bounded(folder)
    assert sum(kept_datasets()["hostile"].info.sizes.values()) == 60


def test_very_deep_folders_are_classes(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    files = {(f"{deep}/{name}" if i % 2 else f"x/{name}"): content
             for i, (name, content) in enumerate(class_folders().items())}  # fmt: skip
    bounded(write_zip(tmp_path / "a.zip", files))
    assert all(len(each) <= 80 for each in kept_datasets()["hostile"].info.classes)


@pytest.mark.slow
def test_images_of_many_sizes_and_kinds_become_one_size(tmp_path: Path) -> None:
    files = {}
    for index in range(60):
        side = 6 + 3 * index
        grey = pictures(1, (side, side + index % 5), index)[0]
        mode = ("L", "RGB", "RGBA", "P", "1", "LA", "CMYK", "I;16")[index % 8]
        image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
        image = image if mode == "I;16" else image.convert(mode)
        stream = io.BytesIO()
        image.save(stream, "TIFF")
        files[f"{index}.tif"] = stream.getvalue()
    bounded(write_files(tmp_path / "x", files))
    assert kept_datasets()["hostile"].record["rejected"] == []


ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float16": lambda a: (a / 255).astype(np.float16),
    "longdouble": lambda a: a.astype(np.longdouble),
    "int8 of bits": lambda a: (a > 127).astype(np.int8),
    "uint64": lambda a: a.astype(np.uint64),
    "big-endian": lambda a: a.astype(">u2"),
    "Fortran order": np.asfortranarray,
    "negative strides": lambda a: a[:, ::-1, ::-1],
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_of_every_kind_and_order_are_read(tmp_path: Path, case: str) -> None:
    values = pictures(60)
    given = ARRAYS[case](values)
    bounded(saved(tmp_path / "a.npy", given))
    images = load_dataset("hostile").images
    assert len(images) == 60
    if case == "float16":
        expected = np.rint(np.asarray(given, np.float64) * 255).astype(np.uint8)
    elif case == "int8 of bits":
        expected = 255 * given.astype(np.uint8)
    else:
        expected = given.astype(np.uint8)
    assert {each.tobytes() for each in images.numpy()[:, 0]} == {e.tobytes() for e in expected}
