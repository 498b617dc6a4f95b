"""Names that a terminal would obey, and what looks like a file but has no end."""

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from vae_core.data.decode import ImageError
from vae_core.data.files import iter_files
from vae_core.data.prepare import read_image


def within_seconds(paths: list[Path]) -> list[tuple[str, bytes | ImageError]]:
    """What the paths hold; a reader that waits for ever fails here."""
    found: list[tuple[str, bytes | ImageError]] = []
    reader = threading.Thread(target=lambda: found.extend(iter_files(paths)), daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()
    return found


def test_no_name_reaches_a_terminal_as_a_command(tmp_path: Path) -> None:
    folder = tmp_path / "\x1b[31mred"
    folder.mkdir()
    for name in (b"a\nb.png", b"b\x1b[2J.png", b"c\xff.png", b"d\n.zip"):
        try:
            (folder / os.fsdecode(name)).write_bytes(b"x")
        except OSError:
            continue  # a file system that refuses such a name
    (folder / "e.png").write_bytes(b"x")
    (tmp_path / "\x1bempty").mkdir()
    found = within_seconds([folder, folder / "a\nb.png", tmp_path / "\x1bempty"])
    assert len(found) >= 3
    for name, content in found:
        assert name.isprintable()
        assert name.encode()
        assert not isinstance(content, ImageError) or str(content).isprintable()
    assert "�[31mred/e.png" in dict(found)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("name", ["pipe.png", "pipe.zip"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / "z.png").write_bytes(b"x")
    (_, error), last = within_seconds([tmp_path])
    assert f"{name} cannot be opened (it is a folder, a pipe or a device)" in str(error)
    assert last[1] == b"x"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices")
def test_a_device_without_end_is_not_read() -> None:
    with pytest.raises(ImageError, match=r"zero cannot be opened \(it is a folder, a pipe or a"):
        read_image(Path("/dev/zero"), "zero")


LEVELS = np.linspace(0, 255, 40 * 30).reshape(40, 30).astype(np.uint8)


def saved(form: str, **options: object) -> bytes:
    register_heif_opener()
    stream = io.BytesIO()
    Image.fromarray(LEVELS).save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["AVIF", "HEIF", "PPM"])
def test_more_kinds_of_files_are_read(form: str) -> None:
    grey = read_image(saved(form), f"a.{form.lower()}")
    assert grey.shape == (40, 30)
    assert np.abs(grey * 255 - LEVELS).max() < 12  # AVIF and HEIC lose a little


def test_a_photograph_of_an_iphone_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the orientation: turned by a quarter
    grey = read_image(saved("HEIF", exif=exif.tobytes()), "IMG_1.HEIC")
    assert grey.shape == (30, 40)
    assert np.abs(grey * 255 - np.rot90(LEVELS, -1)).max() < 12


@pytest.mark.parametrize("cut", [20, 200, -30])
def test_a_heic_file_that_was_cut_off_is_a_sentence(cut: int) -> None:
    with pytest.raises(ImageError, match=r"IMG_1\.HEIC is (damaged|a video, or a HEIC)"):
        read_image(saved("HEIF")[:cut], "IMG_1.HEIC")


def test_a_heic_file_that_states_too_many_pixels_is_refused() -> None:
    content = saved("HEIF")
    where = content.index(b"ispe") + 8
    giant = content[:where] + (60_000).to_bytes(4, "big") * 2 + content[where + 8 :]
    with pytest.raises(ImageError, match=r"IMG_1\.HEIC (has 60,000×60,000 pixels|is )"):
        read_image(giant, "IMG_1.HEIC")


def test_what_is_in_the_container_of_heic_and_cannot_be_read_is_named() -> None:
    with pytest.raises(ImageError, match=r"a HEIC or AVIF photograph .* save it as JPEG"):
        read_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400), "IMG_1.HEIC")


def test_every_image_of_an_array_is_a_file_of_its_own(tmp_path: Path) -> None:
    images = np.random.RandomState(0).randint(0, 256, (3, 9, 8)).astype(np.uint8)
    np.save(tmp_path / "many.npy", images)
    np.savez(tmp_path / "one.npz", images[0])
    np.save(tmp_path / "bad.npy", images[0, 0])
    found = dict(iter_files([tmp_path]))
    assert [*map(str, found)] == [
        f"{tmp_path.name}/{name}"
        for name in ("bad.npy", *(f"many.npy/images[{i}]" for i in range(3)), "one.npz/images[0]")
    ]
    contents = [each for each in found.values() if isinstance(each, bytes)]
    for content, image in zip(contents, [*images, images[0]], strict=True):
        assert np.array_equal(np.rint(read_image(content, "a.png") * 255), image)
    refused = found[f"{tmp_path.name}/bad.npy"]
    assert isinstance(refused, ImageError)
    assert "has the shape 8" in str(refused)
