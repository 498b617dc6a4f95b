"""Hostile sources of a data set: each gets a sentence, nothing is half-kept, memory is bounded."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    pictures,
    use_folder,
    write_files,
    write_zip,
)
from vae_core import add_dataset
from vae_core.data.kept import kept_datasets
from vae_core.data.listing import Limits
from vae_core.data.sources import packed
from vae_core.settings.data_sets import DataError

FEW_PIXELS = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)  # the header of a PNG


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def bomb() -> bytes:
    """A PNG of a few bytes that states 3.6 billion pixels."""
    whole = encoded(pictures(1)[0])
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + FEW_PIXELS))
    return whole[:16] + FEW_PIXELS + checksum + whole[33:]


def array(path: Path, values: np.ndarray, **options: object) -> Path:
    np.save(path, values, **options)  # type: ignore[arg-type]
    return path


def arrays(path: Path, **values: np.ndarray) -> Path:
    np.savez(path, **values)  # type: ignore[arg-type]
    return path


def half(path: Path, content: bytes) -> Path:
    path.write_bytes(content[: len(content) // 2])
    return path


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in class_folders().items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in class_folders().items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return stream.getvalue()


def greedy_tar(path: Path) -> Path:
    """A .tar whose extended header states 8 GB, which would be read into memory at once."""
    about = tarfile.TarInfo("x")
    about.type, about.size = tarfile.XHDTYPE, 8_000_000_000
    path.write_bytes(about.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    return path


def objects(count: int) -> np.ndarray:
    return np.array([{"a": i} for i in range(count)], object)


def parquet(path: Path, **columns: list[object]) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda t: t / "none", "does not exist"),
    "an empty folder": (lambda t: write_files(t / "x", {"a/.keep": b""}), "contains no files"),
    "a text": (lambda t: write_files(t, {"a.txt": b"hi"}) / "a.txt", "not a source of images"),
    "texts only": (
        lambda t: write_files(t / "x", {"a.txt": b"a", "b.md": b"b"}),
        "contains no image that can be read, in 2 files",
    ),
    "an empty zip": (lambda t: write_zip(t / "a.zip", {}), "contains no files"),
    "half a zip": (lambda t: half(t / "a.zip", zipped()), "not a complete .zip"),
    "a zip in name": (lambda t: write_files(t, {"a.zip": b"PK?"}) / "a.zip", "not a complete .zip"),
    "an empty tar": (lambda t: write_files(t, {"a.tar": bytes(10_240)}) / "a.tar", "no files"),
    "half a tar": (lambda t: half(t / "a.tar", tarred()), "not a complete .tar"),
    "half a tar.gz": (
        lambda t: half(t / "a.tgz", gzip.compress(tarred())),
        "not a complete .tar",
    ),
    "a greedy tar": (lambda t: greedy_tar(t / "a.tar"), "not a complete .tar"),
    "few images": (lambda t: write_files(t / "x", class_folders(49)), "at least 50"),
    "copies of one image": (
        lambda t: write_files(t / "x", {f"{i}.png": encoded(pictures(1)[0]) for i in range(99)}),
        "1 different image that",
    ),
    "an array of objects": (lambda t: array(t / "a.npy", objects(60)), "only a pickle can load"),
    "objects in an npz": (lambda t: arrays(t / "a.npz", images=objects(60)), "only a pickle"),
    "labels of objects": (
        lambda t: arrays(t / "a.npz", images=pictures(60), labels=objects(60)),
        "only a pickle",
    ),
    "too few labels": (
        lambda t: arrays(t / "a.npz", images=pictures(60), labels=np.arange(59)),
        "labels of shape 59 for 60 images",
    ),
    "two arrays": (
        lambda t: arrays(t / "a.npz", one=pictures(60), two=pictures(60)),
        "several arrays that may be images",
    ),
    "no array of images": (lambda t: arrays(t / "a.npz", x=np.arange(60)), "no array of images"),
    "flat rows": (lambda t: array(t / "a.npy", pictures(60, (784,))), "has the shape 60×784"),
    "five channels": (lambda t: array(t / "a.npy", pictures(60, (8, 8, 5))), "no axis of 1, 3 or"),
    "tiny images": (lambda t: array(t / "a.npy", pictures(60, (2, 2))), "images of 2×2 pixels"),
    "negative values": (lambda t: array(t / "a.npy", pictures(60) / 255 - 0.5), "has values from"),
    "texts in an array": (lambda t: array(t / "a.npy", np.full((60, 8, 8), "a")), "not numbers"),
    "only NaN": (lambda t: array(t / "a.npy", np.full((60, 8, 8), np.nan)), "not finite numbers"),
    "half an array": (
        lambda t: half(t / "a.npy", array(t / "b.npy", pictures(60)).read_bytes()),
        "damaged or cut off",
    ),
    "half an npz": (
        lambda t: half(t / "a.npz", arrays(t / "b.npz", images=pictures(60)).read_bytes()),
        "damaged or cut off",
    ),
    "no image column": (lambda t: parquet(t / "a.parquet", x=[1, 2]), "no column of images"),
    "half a parquet": (
        lambda t: half(t / "a.parquet", parquet(t / "b.parquet", x=[1]).read_bytes()),
        "cannot be read as Parquet",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_source_that_cannot_be_used_gets_a_sentence_and_leaves_nothing(
    tmp_path: Path, kept_in: Path, case: str
) -> None:
    make, reason = REFUSED[case]
    source = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as refused:
            add_dataset("hostile", source)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    assert reason in str(refused.value)
    assert str(refused.value).endswith((".", "'images'."))
    assert list(kept_in.iterdir()) == []


REJECTED: dict[str, tuple[dict[str, bytes], str]] = {
    "a bomb": ({"bad.png": bomb()}, "at most 40 million are read"),
    "cut off in the middle": ({"bad.png": encoded(pictures(1, (99, 99))[0])[:900]}, "damaged"),
    "a text called png": ({"bad.png": b"hello"}, "not an image"),
    "an empty file": ({"bad.png": b""}, "empty"),
    "two pixels": ({"bad.png": encoded(pictures(1, (1, 2))[0])}, "at least 4×4"),
    "an archive inside": ({"bad.zip": zipped()}, "is an archive, not an image"),
    "a table of something else": ({"bad.csv": b"a,b\n1,2\n"}, "no columns 'file' and 'label'"),
    "a table that is none": ({"bad.csv": b"\xff\xfe\x00file"}, "not a readable CSV"),
    "one image under two labels": (
        {"dogs/bad.png": class_folders()["cats/1.png"]},
        "the same image as cats/1.png, which is of another class",
    ),
}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("case", REJECTED)
def test_a_bad_file_is_listed_with_its_reason_and_the_rest_goes_on(
    tmp_path: Path, case: str, kind: str
) -> None:
    bad, reason = REJECTED[case]
    files = class_folders() | bad
    if kind == "zip":
        source = write_zip(tmp_path / "a.zip", files)
    else:
        source = write_files(tmp_path / "a", files)
    if kind == "tar":
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.add(source, ".")
        source = tmp_path / "a.tar"
    info = add_dataset("mixed", source)
    (rejected,) = kept_datasets()["mixed"].record["rejected"]
    assert reason in rejected["reason"]
    assert rejected["file"].endswith(next(iter(bad)))
    assert sum(info.sizes.values()) == 60


@pytest.mark.parametrize("name", ["../../outside.png", "/outside.png", "a/../../outside.png"])
def test_a_name_that_leads_out_of_an_archive_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str
) -> None:
    source = write_zip(
        tmp_path / "a.zip", class_folders() | {name: encoded(pictures(1, seed=9)[0])}
    )
    before = {*tmp_path.rglob("outside.png")}
    add_dataset("out", source)
    (rejected,) = kept_datasets()["out"].record["rejected"]
    assert "leads out of the archive" in rejected["reason"]
    assert {*tmp_path.rglob("outside.png")} == before


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "a", class_folders())
    secret = write_files(tmp_path / "secret", {"s.png": encoded(pictures(1, seed=9)[0])})
    (folder / "cats" / "link.png").symlink_to(secret / "s.png")
    (folder / "linked").symlink_to(secret, target_is_directory=True)
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(folder, "a")
    for name, source in (("folder", folder), ("tar", tmp_path / "a.tar")):
        add_dataset(name, source)
        listed = kept_datasets()[name].record["rejected"]
        assert len(listed) == 4
        assert sum("link" in each["reason"] for each in listed) >= 3


def test_one_image_with_nan_is_left_out_of_an_array(tmp_path: Path) -> None:
    values = pictures(60) / 255
    values[7, 0, 0] = np.nan
    add_dataset("nan", array(tmp_path / "a.npy", values))
    (rejected,) = kept_datasets()["nan"].record["rejected"]
    assert rejected == {
        "file": "images[7]",
        "reason": "Image 7 contains values that are not finite numbers (NaN or infinity).",
    }


def test_16_bit_images_keep_their_range(tmp_path: Path) -> None:
    files = {f"{i}.png": encoded(p.astype(np.uint16) * 257) for i, p in enumerate(pictures(60))}
    info = add_dataset("deep", write_files(tmp_path / "deep", files))
    assert info.image_shape == (1, 12, 10)


def test_an_archive_with_very_much_in_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_in: Path
) -> None:
    monkeypatch.setattr(packed, "LIMITS", Limits(59, 10**9, 10**9))
    write_files(tmp_path, {"a.zip": zipped(), "a.tar": tarred()})
    for name in ("a.zip", "a.tar"):
        with pytest.raises(DataError, match="entries"):
            add_dataset("many", tmp_path / name)
    assert list(kept_in.iterdir()) == []
