"""Frames of animated and multi-page files are images of their own where that is asked for."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.vae_core.data.own_sources import (
    class_folders,
    encoded,
    parts_of,
    pictures,
    use_folder,
    write_files,
)
from vae_core import AddOptions, add_dataset
from vae_core.data import frames as module
from vae_core.data.decode import ImageError, decode, decode_colour
from vae_core.data.files import iter_files
from vae_core.data.frames import frames_of, has_frames
from vae_core.data.kept import SPLITS, kept_datasets
from vae_core.data.splitting import split_images

ALL = AddOptions(frames="all")


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


def film(pages: np.ndarray, form: str, **options: object) -> bytes:
    first, *rest = map(Image.fromarray, pages)
    stream = io.BytesIO()
    first.save(stream, form, save_all=True, append_images=rest, **options)
    return stream.getvalue()


def decoded(content: bytes | ImageError) -> np.ndarray:
    assert isinstance(content, bytes)
    return np.rint(decode(content, "x")[0] * 255).astype(np.uint8)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PNG", "WEBP"])
def test_every_frame_has_its_own_pixels(form: str) -> None:
    pages = pictures(5)
    options = {"lossless": True} if form == "WEBP" else {}
    found = dict(frames_of(film(pages, form, **options), "film"))
    assert list(found) == [0, 1, 2, 3, 4]
    for page, content in zip(pages, found.values(), strict=True):
        np.testing.assert_array_equal(decoded(content), page)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_frames_of_many_levels_are_decoded_as_pages_of_their_own(kind: type) -> None:
    pages = (pictures(3) * (1 / 255 if kind is np.float32 else 7)).astype(kind)
    found = dict(frames_of(film(pages, "TIFF"), "deep.tif"))
    for page, content in zip(pages, found.values(), strict=True):
        alone = decode(encoded(page, "TIFF"), "page.tif")[0]
        assert isinstance(content, bytes)
        np.testing.assert_array_equal(decode(content, "frame")[0], alone)


def test_a_transparent_frame_keeps_its_transparency() -> None:
    pages = pictures(3, (12, 10, 4))
    found = dict(frames_of(film(pages, "PNG"), "film.png"))
    alone = decode_colour(encoded(pages[1]), "page.png")[0]
    content = found[1]
    assert isinstance(content, bytes)
    np.testing.assert_array_equal(decode_colour(content, "frame")[0], alone)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"])
def test_a_file_of_one_frame_is_given_as_it_is(form: str) -> None:
    content = encoded(pictures(1)[0], form)
    assert not has_frames(content)
    assert dict(frames_of(content, "one")) == {None: content}


def test_a_page_of_a_tiff_that_is_a_smaller_copy_is_left_out() -> None:
    pages = [Image.fromarray(each) for each in pictures(3)]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}  # type: ignore[attr-defined]
    stream = io.BytesIO()
    pages[0].save(stream, "TIFF", save_all=True, append_images=pages[1:])
    assert [index for index, _ in frames_of(stream.getvalue(), "pyramid.tif")] == [0, 2]


def test_a_damaged_page_is_named_and_the_others_are_read() -> None:
    content = bytearray(film(pictures(3, (64, 64)), "TIFF", compression="tiff_adobe_deflate"))
    with Image.open(io.BytesIO(content)) as image:
        image.seek(1)
        place = image.tag_v2[273][0]  # type: ignore[attr-defined]
    content[place : place + 40] = bytes(40)
    found = dict(frames_of(bytes(content), "stack.tif"))
    assert [isinstance(each, bytes) for each in found.values()] == [True, False, True]
    assert "Frame 1 of stack.tif is damaged" in str(found[1])


@pytest.mark.parametrize("form", ["GIF", "TIFF", "PNG", "WEBP"])
def test_a_film_that_was_cut_off_ends_with_a_sentence(form: str) -> None:
    content = film(pictures(6, (40, 40)), form)
    *_, (_, last) = frames_of(content[: len(content) // 2], "film")
    assert isinstance(last, ImageError) or not has_frames(content[: len(content) // 2])


@pytest.mark.parametrize(("name", "most"), [("MOST_FRAMES", 3), ("MOST_PIXELS", 3 * 120)])
def test_very_many_frames_are_not_all_read(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(module, name, most)
    found = dict(frames_of(film(pictures(6), "GIF"), "long.gif"))
    assert list(found) == [0, 1, 2, 3]
    assert "the first 3 were taken" in str(found[3])


def test_frames_become_images_of_a_data_set_with_the_class_of_their_file(tmp_path: Path) -> None:
    cats, dogs = film(pictures(30), "GIF"), film(pictures(30, seed=1), "TIFF")
    folder = write_files(tmp_path / "films", {"cats/a.gif": cats, "dogs/b.tif": dogs})
    info = add_dataset("films", folder, ALL)
    kept = kept_datasets()["films"]
    assert (sum(info.sizes.values()), info.classes) == (60, ("cats", "dogs"))
    assert np.bincount(kept.load()[1]).tolist() == [30, 30]
    assert "2 files have several frames: their 60 frames are" in kept.record["notes"][0]
    assert "there are too few files to keep them together" in kept.record["notes"][-2]


def test_no_film_is_in_two_parts_and_the_parts_have_their_shares(tmp_path: Path) -> None:
    films = {f"{'ab'[n % 2]}/{n}.gif": film(pictures(9, seed=50 + n), "GIF") for n in range(20)}
    folder = write_files(tmp_path / "films", films | class_folders(40))
    info = add_dataset("films", folder, ALL)
    kept = kept_datasets()["films"]
    parts = [{n.partition("[")[0] for n in parts_of("films", part)} for part in SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)), "no file is in two parts"
    assert sum(info.sizes.values()) == 220
    assert all(abs(info.sizes[part] - 22) <= 9 for part in ("validation", "test"))
    assert "The frames of one file are in the same part." in kept.record["notes"]


def split_of(digests: str, files: list[str], labels: list[int], shares: tuple = (0.8, 0.1, 0.1)):
    """The part of each image, −1 for one that was left out; and what was found out."""
    count = len(digests)
    found = split_images(
        [each.encode() for each in digests],
        np.array(labels, np.int64),
        [None] * count,
        shares,
        0,
        files,
    )
    part = np.full(count, -1)
    part[found.order] = np.repeat([0, 1, 2], list(found.sizes.values()))
    return part, found


def test_three_films_are_a_part_each_and_a_frame_of_two_films_is_in_the_last_alone() -> None:
    digests = "abcxdefxghij"
    part, found = split_of(digests, [*"1111", *"2222", *"3333"], [-1] * 12)
    films = [set(part[start : start + 4].tolist()) - {-1} for start in (0, 4, 8)]
    assert sorted(map(len, films)) == [1, 1, 1]
    assert set.union(*films) == {0, 1, 2}
    assert (part[[3, 7]] == -1).sum() == 1
    assert found.duplicates == {"copies": 1, "left_out": 1}
    assert part[3] in (-1, max(part[0], part[4]))


def test_a_class_of_one_film_stays_in_training_where_others_have_more() -> None:
    files = [*"a" * 4, *"b" * 20, *"c" * 20, *"d" * 20]
    digests = "".join(chr(100 + i) for i in range(64))
    part, _ = split_of(digests, files, [0] * 4 + [1] * 60)
    assert set(part[:4].tolist()) == {0}
    assert set(part.tolist()) == {0, 1, 2}


def test_copies_of_a_film_are_one_film_and_too_few_films_are_divided_by_frames() -> None:
    same = "".join(chr(100 + i) for i in range(40))
    part, found = split_of(same * 3, [*"a" * 40, *"b" * 40, *"c" * 40], [-1] * 120)
    assert dict(found.sizes) == {"train": 96, "validation": 12, "test": 12}
    assert (part.reshape(3, 40) == part[:40]).all()
    assert "too few files to keep them together" in found.notes[-1]

    others = "".join(chr(200 + i) for i in range(80))
    part, found = split_of(same * 2 + others, [c for c in "abcd" for _ in range(40)], [-1] * 160)
    assert all(found.sizes.values())
    assert len(set(part[:80].tolist())) == 1, "copies of a film are in the same part"


def test_films_that_share_nearly_all_frames_leave_no_part_empty() -> None:
    shared = "".join(chr(100 + i) for i in range(40))
    digests = "".join(shared[i : i + 38] for i in range(3))
    _, found = split_of(digests, [c for c in "abc" for _ in range(38)], [-1] * 114)
    assert min(found.sizes.values()) >= 4


def test_photographs_beside_a_long_film_are_in_every_part() -> None:
    digests = "".join(chr(1000 + i) for i in range(550))
    part, found = split_of(digests, ["film"] * 500 + [""] * 50, [-1] * 550)
    assert set(part[:500].tolist()) == {0}
    assert np.bincount(part[500:]).tolist() == [40, 5, 5]
    assert found.notes == ["The frames of one file are in the same part."]


def test_images_without_films_are_divided_as_before() -> None:
    digests = "".join(chr(200 + i // 2) for i in range(120))
    labels = [i % 3 - 1 for i in range(120)]
    part, found = split_of(digests, [""] * 120, labels)
    assert dict(found.sizes) == {"train": 96, "validation": 12, "test": 12}
    assert (part[::2] == part[1::2]).all()
    assert np.flatnonzero(part == 2).tolist() == [8, 9, 42, 43, 54, 55, 74, 75, 76, 77, 82, 83]


def test_a_table_states_the_class_and_the_part_of_all_frames_of_a_file(tmp_path: Path) -> None:
    table = b"file,label,split\na.gif,cats,train\nb.gif,dogs,train\nc.gif,cats,test\n"
    films = {f"{n}.gif": film(pictures(25, seed=ord(n)), "GIF") for n in "abc"}
    add_dataset("films", write_files(tmp_path / "films", films | {"t.csv": table}), ALL)
    kept = kept_datasets()["films"]
    assert (kept.info.sizes["test"], kept.record["rejected"]) == (25, [])
    assert kept.info.classes == ("cats", "dogs")


def test_the_first_frame_alone_is_taken_unless_asked_and_that_is_said(tmp_path: Path) -> None:
    files = class_folders() | {"cats/a.gif": film(pictures(9, seed=5), "GIF")}
    info = add_dataset("still", write_files(tmp_path / "x", files))
    assert sum(info.sizes.values()) == 61
    (note,) = (n for n in kept_datasets()["still"].record["notes"] if "frames" in n)
    assert note.startswith("1 file has several frames, and the first was taken. --frames all")


def test_every_frame_is_scored_where_asked(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.gif": film(pictures(3), "GIF"), "b.png": encoded(pictures(1)[0])})
    named = [name.removeprefix(f"{tmp_path.name}/") for name, _ in iter_files([tmp_path], "all")]
    assert named == ["a.gif[0]", "a.gif[1]", "a.gif[2]", "b.png"]
    assert len(list(iter_files([tmp_path]))) == 2
