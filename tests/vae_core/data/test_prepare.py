"""From an uploaded file to the pixels a model gets."""

import dataclasses
import io
import itertools
import random
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_core.cli.sample import write_tiles
from vae_core.data import archives, decode
from vae_core.data.archives import iter_archive
from vae_core.data.datasets import Dataset
from vae_core.data.decode import ImageError
from vae_core.data.files import iter_files
from vae_core.data.prepare import Choice, Prepared, PrepareOptions, prepare, read_image

MNIST_SHAPE = (1, 28, 28)
DIGITS_SHAPE = (1, 8, 8)


def packed(image: Image.Image | np.ndarray, form: str = "PNG", **options: object) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def drawing(height: int = 90, width: int = 120) -> np.ndarray:
    """A dark slanted stroke on white paper, uint8, with a mark in its upper left corner."""
    y, x = np.mgrid[:height, :width]
    stroke = (abs(x - 40 - y / 3) < 4) & (y > 15) & (y < 75)
    mark = (y < 20) & (y > 10) & (x < 30) & (x > 10)
    return np.where(stroke | mark, 20, 250).astype(np.uint8)


def step_names(prepared: Prepared, *, changed: bool = True) -> list[str]:
    return [step.name for step in prepared.steps if step.changed is changed]


# Reading


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_every_format_gives_back_the_picture(form: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(form, {})
    grey = read_image(packed(drawing(), form, **options), f"a.{form.lower()}")
    assert grey.dtype == np.float32
    error = abs(grey - drawing() / 255).max()
    assert error < (0.1 if form == "JPEG" else 1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_kind_of_pixel_gives_back_the_picture(mode: str) -> None:
    image = Image.fromarray(drawing())
    if mode == "1":
        image = Image.fromarray(drawing() > 128)
    elif mode != "L":
        image = image.convert("RGB" if mode in ("CMYK", "YCbCr") else "L").convert(mode)
    form = "PNG" if mode in ("1", "L", "LA", "P", "RGB", "RGBA") else "TIFF"
    grey = read_image(packed(image, form), "a")
    expected = drawing() > 128 if mode == "1" else drawing() / 255
    assert abs(grey - expected).max() < 0.02


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64 * 32).reshape(32, 64).astype(np.uint16)
    for form in ("PNG", "TIFF"):
        grey = read_image(packed(Image.fromarray(ramp), form), "a")
        assert abs(grey - ramp / 65_535).max() < 1e-6


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 1, 64, dtype=np.float32), np.linspace(0, 1, 64)),
        (np.linspace(-3, 5, 64, dtype=np.float32), np.linspace(0, 1, 64)),
        (np.linspace(-3.4e38, 3.4e38, 64, dtype=np.float32), np.linspace(0, 1, 64)),
        (np.linspace(0, 2**30, 64).astype(np.int32), np.linspace(0, 1, 64)),
        (np.linspace(0, 65_535, 64).astype(np.int32), np.linspace(0, 1, 64)),
        (np.arange(0, 256, 4).astype(np.int32), np.arange(0, 256, 4) / 255),
        (np.arange(0, 256, 4).astype(np.uint16), np.arange(0, 256, 4) / 255),
        (np.arange(64).astype(np.uint16) % 2, np.arange(64) % 2),
        (np.zeros(64, np.uint16), np.zeros(64)),
    ],
    ids=[
        "unit floats",
        "other floats",
        "all floats",
        "32 bits",
        "16 of 32 bits",
        "8 of 32 bits",
        "8 of 16 bits",
        "1 of 16 bits",
        "black",
    ],
)
def test_deep_tiff_levels_become_black_to_white(values: np.ndarray, expected: np.ndarray) -> None:
    grey = read_image(packed(np.tile(values, (8, 1)), "TIFF"), "a.tiff")
    assert abs(grey - expected).max() < 1e-4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    values = np.zeros((8, 8), np.float32)
    values[3, 3] = value
    with pytest.raises(ImageError, match=r"a.tiff contains values that are not finite numbers"):
        read_image(packed(values, "TIFF"), "a.tiff")


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_no_level_of_sixteen_bits_makes_a_picture_jump(form: str) -> None:
    """From the levels of 8 bits to those of 16, one level more changes the greys by as much."""
    greys = [
        read_image(packed((drawing() / 250 * high).astype(np.uint16), form), "a")
        for high in (254, 255, 256, 257)
    ]
    assert all(abs(a - b).max() < 0.01 for a, b in itertools.pairwise(greys))


@pytest.mark.parametrize(
    ("high", "said"),
    [(255, "only levels 0 to 255"), (256, "largest of them, 256."), (4095, "of them, 4,095.")],
)
def test_the_steps_say_which_level_of_sixteen_bits_became_white(high: int, said: str) -> None:
    levels = (drawing() / 250.0 * high).round().astype(np.uint16)
    prepared = prepare(packed(levels), "a.png", MNIST_SHAPE)
    assert prepared.grey.max() == 1
    assert said in prepared.steps[1].reason
    assert not prepared.inkless


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_turned_photograph_is_turned_upright(form: str, orientation: int) -> None:
    """Stored as each orientation of the Exif standard says, it reads as the same picture."""
    upright = drawing()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(form, {})
    data = packed(np.ascontiguousarray(stored), form, exif=exif, **options)
    assert abs(read_image(data, "a") - upright / 255).max() < 0.1


def test_broken_metadata_does_not_matter() -> None:
    data = packed(drawing(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=95)
    assert abs(read_image(data, "a.jpg") - drawing() / 255).max() < 0.1


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("ink", "ground"), [(20, 1.0), (235, 0.0)])
def test_transparency_is_laid_on_what_shows_the_ink(form: str, ink: int, ground: float) -> None:
    """Dark strokes on nothing go on white, light strokes on black, whatever colour nothing has."""
    opaque = np.where(drawing() < 128, 255, 0).astype(np.uint8)
    colour = np.where(opaque > 0, ink, ink // 2).astype(np.uint8)
    image = Image.fromarray(np.dstack([colour, colour, colour, opaque]))
    options = {"lossless": True} if form == "WEBP" else {}
    grey = read_image(packed(image, form, **options), "a")
    assert abs(grey[opaque > 0] - ink / 255).max() < 0.01
    assert abs(grey[opaque == 0] - ground).max() < 0.01


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_the_ground(form: str) -> None:
    image = Image.fromarray((drawing() < 128).astype(np.uint8), "L").convert("P")
    image.putpalette([200, 0, 0, 0, 0, 0])
    grey = read_image(packed(image, form, transparency=0), "a")
    assert set(np.unique(grey)) == {0.0, 1.0}
    assert np.array_equal(grey == 0, drawing() < 128)


def test_nothing_but_transparency_is_white() -> None:
    prepared = prepare(packed(Image.new("RGBA", (30, 30))), "a.png", MNIST_SHAPE)
    assert prepared.grey.min() == 1
    assert "All of it is transparent" in prepared.steps[1].reason


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(form: str) -> None:
    frames = [Image.fromarray(drawing()), Image.new("L", (120, 90), 0)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = packed(frames[0], form, save_all=True, append_images=frames[1:], **options)
    prepared = prepare(data, "a", MNIST_SHAPE)
    assert abs(prepared.grey - drawing() / 255).max() < 0.02
    assert "the first frame of several" in prepared.steps[0].reason


def test_a_large_picture_is_reduced_without_aliasing() -> None:
    fine = np.indices((1500, 3000)).sum(0) % 2 * 255
    grey = read_image(packed(fine.astype(np.uint8)), "a.png")
    assert grey.shape == (512, 1024)
    assert abs(grey - 0.5).max() < 0.2


def test_a_file_is_read_from_disk_as_from_memory(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(packed(drawing()))
    assert np.array_equal(
        read_image(tmp_path / "a.png", "a.png"), read_image(packed(drawing()), "a.png")
    )


# What cannot be read


def png_of(width: int, height: int) -> bytes:
    """A well-formed header of any size, and hardly any pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def saved(save: Callable[..., None]) -> bytes:
    """NumPy arrays in a file, as ``save`` writes them."""
    file = io.BytesIO()
    save(file, np.zeros((2, 28, 28)))
    return file.getvalue()


def tiff_of_complex_numbers() -> bytes:
    """A whole TIFF, with pixels that Pillow does not know."""
    whole = packed(np.ones((8, 8), np.float32), "TIFF")
    sample_format = struct.Struct("<HHII")  # tag, type, count, value
    return whole.replace(sample_format.pack(339, 3, 1, 3), sample_format.pack(339, 3, 1, 6))


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "text": (b"hello, world\n" * 10, "is not an image that can be read here; save it as PNG"),
    "zip": (b"PK\x03\x04" + bytes(60), "is an archive, not an image"),
    "npz": (saved(np.savez), "holds NumPy arrays, not an image; save each image in it as PNG"),
    "small npz": (saved(np.savez_compressed), "holds NumPy arrays, not an image"),
    "npy": (saved(np.save), "holds NumPy arrays, not an image"),
    "sound": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), "is not an image that can be read here"),
    "rare tiff": (tiff_of_complex_numbers(), "with pixels of a kind that cannot be read here"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
    "too many bytes": (packed(drawing()) + bytes(20_000_000), "has 20 MB, at most 20 MB"),
    "1×1": (packed(np.zeros((1, 1), np.uint8)), "has only 1×1 pixels"),
    "3 high": (packed(np.zeros((3, 500), np.uint8)), "has only 500×3 pixels"),
    "50 megapixels": (png_of(10_000, 5_000), "has 10,000×5,000 pixels, at most 40 million"),
    "100 megapixels": (png_of(10_000, 10_000), "has 10,000×10,000 pixels, at most 40 million"),
    "bomb": (png_of(2**31 - 1, 2**31 - 1), "has far too many pixels, at most 40"),
    "no pixels": (png_of(100, 100), "damaged or cut off"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_gets_one_sentence_that_says_why(kind: str) -> None:
    data, reason = BAD_FILES[kind]
    with pytest.raises(ImageError) as caught:
        prepare(data, "some/where/cat.png", MNIST_SHAPE)
    message = str(caught.value)
    assert message.startswith("cat.png ")
    assert reason in message
    assert ";" in message
    assert message.endswith(".")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_a_file_cut_off_anywhere_is_refused(form: str, share: float) -> None:
    noise = np.random.RandomState(0).randint(0, 256, (60, 60)).astype(np.uint8)
    data = packed(noise, form)
    with pytest.raises(ImageError, match="damaged or cut off"):
        read_image(data[: int(len(data) * share)], "a")


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_random_damage_ends_in_a_picture_or_a_sentence(form: str) -> None:
    """Neither another exception nor a warning (which the tests turn into one) may come out."""
    data = packed(drawing(), form)
    source = random.Random(0)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(source.randint(1, 6)):
            damaged[source.randrange(min(len(data), 600))] = source.randrange(256)
        try:
            grey = read_image(bytes(damaged), "a")
        except ImageError:
            continue
        assert np.isfinite(grey).all()
        assert 0 <= grey.min() <= grey.max() <= 1


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.png", tmp_path):
        with pytest.raises(ImageError, match=rf"{path.name} cannot be opened \("):
            read_image(path, path.name)


def test_a_hostile_name_is_fit_for_a_page_and_a_terminal() -> None:
    with pytest.raises(ImageError) as caught:
        read_image(b"", "../\x1b[31m" + "a" * 500)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_reading_never_changes_the_warning_filters_which_other_threads_have_too() -> None:
    before, seen, done = warnings.filters, [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(warnings.filters is before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    large = packed(np.tile(drawing(), (10, 10)))
    for _ in range(10):
        read_image(large, "a")
    done.set()
    watcher.join()
    assert len(seen) > 10
    assert all(seen)


@pytest.mark.slow
def test_odd_metadata_is_read_over_without_a_warning(tmp_path: Path) -> None:
    """In a program of its own, where every other warning is an error."""
    data = packed(drawing(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")  # which is cut off
    (tmp_path / "odd.jpg").write_bytes(data)
    program = (
        "import sys; from vae_core.data.prepare import read_image; "
        "from pathlib import Path; print(read_image(Path(sys.argv[1]), 'odd').shape)"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "odd.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("(90, 120)", "")


# Preparing


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_digit_of_the_data_set_goes_through_unchanged(form: str, digits: Dataset) -> None:
    for digit in digits.split("test")[0]:
        prepared = prepare(packed(digit[0].numpy(), form), "a", DIGITS_SHAPE)
        assert torch.equal(prepared.pixels, digit)
        assert prepared.untouched
        assert step_names(prepared) == ["Opened"]


def test_a_digit_in_any_disguise_goes_through_unchanged(digits: Dataset) -> None:
    """Stored in colour, with 16 bits, or dark on light, it is the same image."""
    disguises: list[Callable[[np.ndarray], Image.Image]] = [
        lambda a: Image.fromarray(a).convert("RGB"),
        lambda a: Image.fromarray(a).convert("RGBA"),
        lambda a: Image.fromarray(a.astype(np.uint16) * 257),
        lambda a: Image.fromarray(255 - a),
    ]
    for digit in digits.split("test")[0][:50]:
        for disguise in disguises:
            data = packed(disguise(digit[0].numpy()))
            assert torch.equal(prepare(data, "a", DIGITS_SHAPE).pixels, digit)


@pytest.mark.slow
@pytest.mark.mnist
def test_an_mnist_image_goes_through_unchanged(mnist: Dataset) -> None:
    for digit in mnist.split("test")[0][:300]:
        prepared = prepare(packed(digit[0].numpy()), "a.png", MNIST_SHAPE)
        assert prepared.untouched
        assert torch.equal(prepared.pixels, digit)
        inverted = prepare(packed(255 - digit[0].numpy()), "a.png", MNIST_SHAPE)
        assert inverted.inverted
        assert not inverted.untouched
        assert torch.equal(inverted.pixels, digit)


def scanned(digit: torch.Tensor, source: np.random.RandomState, form: str) -> bytes:
    """A digit of a data set, (H, W), as a photograph: dark ink on unevenly lit, grainy paper."""
    ink = Image.fromarray(digit.numpy()).resize((224, 224), Image.Resampling.BICUBIC)
    sheet = np.zeros((300, 400))
    top, left = source.randint(0, 76), source.randint(0, 176)
    sheet[top : top + 224, left : left + 224] = np.asarray(ink) / 255
    y, x = np.mgrid[:300, :400]
    light = 0.9 - 0.35 * (x / 400 + y / 300) / 2
    picture = light * (1 - 0.8 * sheet) + 0.015 * source.randn(300, 400)
    return packed((picture.clip(0, 1) * 255).astype(np.uint8), form)


@pytest.mark.slow
@pytest.mark.mnist
def test_a_photographed_mnist_digit_comes_back_nearly_as_it_was(mnist: Dataset) -> None:
    """Its box is 20 pixels high or wide, its centre of mass in pixel (14, 14), as MNIST's is."""
    source = np.random.RandomState(0)
    for digit in mnist.split("test")[0][:40]:
        prepared = prepare(scanned(digit[0], source, "JPEG"), "a.jpg", MNIST_SHAPE)
        assert prepared.inverted
        pixels = prepared.pixels[0].double()
        rows, columns = (pixels.sum(1 - axis) > 0 for axis in (0, 1))
        assert max(int(rows.sum()), int(columns.sum())) == 20
        for axis in (0, 1):
            at = (pixels.sum(1 - axis) * torch.arange(28)).sum() / pixels.sum()
            assert abs(at - 14) <= 0.51
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        error = min((pixels.roll(s, (0, 1)) - digit[0]).abs().mean() / 255 for s in shifts)
        assert error < 0.05


@pytest.mark.slow
@pytest.mark.mnist
def test_for_the_8_by_8_digits_ink_is_laid_out_as_theirs(mnist: Dataset, digits: Dataset) -> None:
    """Prepared from MNIST's images, the average digit looks like that of the data set."""
    source = np.random.RandomState(0)
    prepared = [
        prepare(scanned(digit[0], source, "BMP"), "a.bmp", DIGITS_SHAPE)
        for digit in mnist.split("test")[0][:150]
    ]
    counts = {round(k * 255 / 16) for k in range(17)}
    for each in prepared:
        assert each.steps[-1].name == "Brightness" or set(each.pixels.unique().tolist()) <= counts
    made, theirs = torch.stack([each.pixels for each in prepared]).double(), digits.images.double()
    assert (made.amax(3) > 0).all()  # they fill all eight rows
    means = torch.stack([made.mean(0).flatten(), theirs.mean(0).flatten()])
    assert torch.corrcoef(means)[0, 1] > 0.95
    assert abs(made.mean() / theirs.mean() - 1) < 0.2
    across = [(x.amax(2) > 0).double().sum(2).mean() for x in (made, theirs)]
    assert abs(across[0] - across[1]) < 0.5


def test_dark_ink_on_paper_is_inverted_cropped_and_centred() -> None:
    prepared = prepare(packed(drawing()), "a.png", MNIST_SHAPE)
    assert prepared.inverted
    assert prepared.crop is not None
    top, left, bottom, right = prepared.crop
    y, x = np.nonzero(drawing() < 128)
    assert (top, left, bottom, right) == (y.min(), x.min(), y.max() + 1, x.max() + 1)
    assert step_names(prepared) == ["Opened", "Polarity", "Contrast", "Crop", "Size", "Centre"]
    assert prepared.pixels.shape == MNIST_SHAPE
    assert prepared.pixels.dtype == torch.uint8
    assert prepared.pixels.max() > 240
    assert prepared.pixels[0, 0].max() == 0


def test_light_ink_gives_the_same_as_dark_ink() -> None:
    dark, light = (
        prepare(packed(each), "a.png", MNIST_SHAPE) for each in (drawing(), 255 - drawing())
    )
    assert dark.inverted
    assert not light.inverted
    assert torch.equal(dark.pixels, light.pixels)


@pytest.mark.parametrize("shape", [MNIST_SHAPE, DIGITS_SHAPE, (1, 33, 20), (3, 28, 28)])
def test_where_the_ink_was_and_how_large_does_not_matter(shape: tuple[int, int, int]) -> None:
    def on_a_sheet(scale: int, top: int, left: int) -> torch.Tensor:
        sheet = np.full((500, 700), 250, np.uint8)
        large = np.kron(drawing(), np.ones((scale, scale), np.uint8))
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
        return prepare(packed(sheet), "a.png", shape).pixels

    first = on_a_sheet(1, 0, 0)
    assert first.shape == shape
    for place in ((1, 400, 570), (1, 123, 45), (4, 100, 200), (5, 0, 0)):
        other = on_a_sheet(*place)
        assert (first.double() - other.double()).abs().mean() < 8


def test_dust_on_a_large_sheet_is_not_taken_for_ink() -> None:
    sheet = np.full((900, 700), 250, np.uint8)
    sheet[300:600, 300:330] = 20
    clean = prepare(packed(sheet), "a.png", MNIST_SHAPE)
    sheet[[5, 100, 890, 450], [5, 690, 30, 100]] = 20
    dusty = prepare(packed(sheet), "a.png", MNIST_SHAPE)
    assert dusty.crop == clean.crop == (300, 300, 600, 330)


def test_thin_strokes_do_not_fade_away() -> None:
    sheet = np.full((900, 900), 255, np.uint8)
    sheet[100:800, 450:452] = 0
    sheet[100:102, 300:600] = 0
    for shape in (MNIST_SHAPE, DIGITS_SHAPE):
        assert prepare(packed(sheet), "a.png", shape).pixels.max() == 255


def test_faint_pencil_on_grey_paper_becomes_white_on_black() -> None:
    faint = (drawing().astype(float) * 0.15 + 100).astype(np.uint8)
    prepared = prepare(packed(faint), "a.png", MNIST_SHAPE)
    assert "Contrast" in step_names(prepared)
    clear = prepare(packed(drawing()), "a.png", MNIST_SHAPE)
    assert (prepared.pixels.double() - clear.pixels.double()).abs().mean() < 3


@pytest.mark.parametrize("level", [0, 77, 128, 255])
@pytest.mark.parametrize("size", [(28, 28), (50, 90)])
def test_one_colour_is_left_as_it_is(level: int, size: tuple[int, int]) -> None:
    prepared = prepare(packed(np.full(size, level, np.uint8)), "a.png", MNIST_SHAPE)
    assert (prepared.pixels == level).all()
    assert prepared.crop is None
    assert not prepared.inverted
    reasons = {step.name: step.reason for step in prepared.steps}
    assert "one colour" in reasons["Polarity"]
    assert "one colour" in reasons["Contrast"]
    assert reasons["Crop"].endswith("kept whole.")
    assert prepared.inkless


def test_a_drawing_has_ink_and_empty_paper_has_none() -> None:
    assert not prepare(packed(drawing()), "a.png", MNIST_SHAPE).inkless
    grain = np.random.default_rng(0).integers(250, 254, (80, 80), np.uint8)
    assert prepare(packed(grain), "a.png", MNIST_SHAPE).inkless


def lit_from_one_side(paper: np.ndarray) -> np.ndarray:
    return (paper * np.linspace(0.5, 1, paper.shape[1])).astype(np.uint8)


@pytest.mark.parametrize("side", [28, 120], ids=["of the model's size", "larger"])
@pytest.mark.parametrize("light", ["even", "from one side"])
@pytest.mark.parametrize("ink", ["dark", "light"])
def test_a_drawing_shows_something_in_the_wrong_polarity_too(
    side: int, light: str, ink: str
) -> None:
    dark = np.asarray(Image.fromarray(drawing()).resize((side, side)))
    lit = dark if light == "even" else lit_from_one_side(dark)
    wrong = PrepareOptions(invert="no" if ink == "dark" else "yes")
    prepared = prepare(packed(lit if ink == "dark" else 255 - lit), "a.png", MNIST_SHAPE, wrong)
    assert not prepared.inkless
    assert np.ptp(prepared.pixels.numpy()) > 100


def test_half_a_sheet_of_black_is_not_nothing() -> None:
    image = np.full((28, 28), 255, np.uint8)
    image[:, :10] = 0
    assert not prepare(packed(image), "a.png", MNIST_SHAPE).inkless


@pytest.mark.parametrize("invert", ["auto", "no", "yes"])
@pytest.mark.parametrize("level", [3, 128, 250])
def test_grain_is_nothing_in_either_polarity(invert: Choice, level: int) -> None:
    grain = np.random.default_rng(0).integers(level, level + 4, (200, 300), np.uint8)
    options = PrepareOptions(invert=invert)
    assert prepare(packed(grain), "a.png", MNIST_SHAPE, options).inkless


def test_a_step_can_be_asked_for_or_forbidden() -> None:
    data = packed(drawing())
    never = PrepareOptions("no", "no", "no", "no")
    left = prepare(data, "a.png", MNIST_SHAPE, never)
    assert step_names(left) == ["Opened", "Size", "Centre"]
    assert left.pixels[0, 14, 0] == 250
    assert left.pixels[0, 0].tolist() == left.pixels[0, 1].tolist() == [250] * 28
    light = packed(255 - drawing())
    for option, step in (("invert", "Polarity"), ("contrast", "Contrast"), ("crop", "Crop")):
        asked = prepare(light, "a.png", MNIST_SHAPE, dataclasses.replace(never, **{option: "yes"}))
        assert step in step_names(asked)
        other = {"Polarity", "Contrast", "Crop"} - {step}
        assert not other & set(step_names(asked))


def test_an_image_of_the_right_size_is_cropped_and_centred_only_if_asked() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[2:8, 3:7] = 255
    as_it_is = prepare(packed(image), "a.png", MNIST_SHAPE)
    assert as_it_is.untouched
    centred = prepare(packed(image), "a.png", MNIST_SHAPE, PrepareOptions(centre="yes"))
    ink = np.argwhere(centred.pixels[0].numpy() == 255)
    assert np.ptp(ink, axis=0).tolist() == [5, 3]
    assert abs(ink.mean(0) - 14).max() <= 0.5
    cropped = prepare(packed(image), "a.png", MNIST_SHAPE, PrepareOptions(crop="yes"))
    assert np.ptp(np.nonzero(cropped.pixels[0].numpy())[0]) == 19


@pytest.mark.parametrize("lights", [(60, 250), (200, 200)])
def test_empty_paper_does_not_become_ink(lights: tuple[int, int]) -> None:
    paper = np.linspace(*lights, 300) + 3 * np.random.RandomState(0).randn(200, 300)
    prepared = prepare(packed(paper.clip(0, 255).astype(np.uint8)), "a.png", MNIST_SHAPE)
    assert prepared.crop is None
    assert np.ptp(prepared.pixels.numpy()) < 20


def test_a_bright_image_of_the_right_size_with_dark_corners_is_not_inverted() -> None:
    """A pullover fills its image to the edges; inverting it would make it another."""
    image = np.full((28, 28), 220, np.uint8)
    for y in (slice(0, 3), slice(25, 28)):
        for x in (slice(0, 3), slice(25, 28)):
            image[y, x] = 0
    assert prepare(packed(image), "a.png", MNIST_SHAPE).untouched


def test_the_data_set_decides_the_layout() -> None:
    sheet = np.full((300, 300), 255, np.uint8)
    sheet[100:200, 130:170] = 0

    def rows(dataset: str) -> int:
        pixels = prepare(packed(sheet), "a.png", MNIST_SHAPE, dataset=dataset).pixels[0]
        return int((pixels.amax(1) > 0).sum())

    assert rows("mnist") == 20
    assert rows("fashion-mnist") == 28


def test_every_step_can_be_shown() -> None:
    for data in (packed(drawing()), packed(Image.new("RGBA", (2000, 1500), "red"))):
        for step in prepare(data, "a.png", MNIST_SHAPE).steps:
            assert step.image.dtype == np.uint8
            assert step.image.ndim == 2 or step.image.shape[2] == 3
            assert max(step.image.shape) <= 256
            assert step.name
            assert step.reason.endswith(".")


def test_the_last_step_shows_the_pixels() -> None:
    prepared = prepare(packed(drawing()), "a.png", MNIST_SHAPE)
    assert np.array_equal(prepared.steps[-1].image, prepared.pixels[0].numpy())


# Archives and folders


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def only_error(data: bytes | Path, name: str = "some.zip") -> str:
    ((named, error),) = iter_archive(data, name)
    assert named == name
    assert isinstance(error, ImageError)
    assert str(error).startswith("some.zip ")
    return str(error)


def test_an_archive_gives_its_files_and_none_of_the_clutter(tmp_path: Path) -> None:
    files = {"b.png": b"1", "sub/a.png": b"2", "../c.png": b"3"}
    clutter = {"__MACOSX/._b.png": b"x", ".hidden": b"x", "sub/.DS_Store": b"x", "sub/": b""}
    data = zipped(files | clutter)
    assert dict(iter_archive(data)) == files
    (tmp_path / "a.zip").write_bytes(data)
    assert dict(iter_archive(tmp_path / "a.zip")) == files


def test_an_archive_is_unpacked_one_file_at_a_time() -> None:
    data = bytearray(zipped({"a": bytes(range(256)), "b": bytes(100)}, zipfile.ZIP_STORED))
    data[data.index(bytes(range(256))) + 7] ^= 1
    stream = iter_archive(bytes(data))
    name, error = next(stream)
    assert name == "a"
    assert isinstance(error, ImageError)
    assert "damaged inside the archive" in str(error)
    assert next(stream) == ("b", bytes(100))


def test_an_archive_without_files_says_so() -> None:
    assert "contains no files" in only_error(zipped({}))
    assert "contains no files" in only_error(zipped({"folder/": b"", "__MACOSX/x": b""}))


def test_what_is_no_archive_or_half_of_one_says_so() -> None:
    whole = zipped({"a.png": packed(drawing())})
    for data in (b"", b"not a zip", whole[: len(whole) // 2], whole[10:]):
        ((_, content),) = iter_archive(data, "some.zip")
        assert isinstance(content, ImageError)
    assert "is not a complete .zip archive" in only_error(whole[: len(whole) // 2])


def test_random_damage_to_an_archive_ends_in_bytes_or_a_sentence() -> None:
    data = zipped({"a.png": packed(drawing()), "b.png": b"x" * 500})
    source = random.Random(0)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(source.randint(1, 4)):
            damaged[source.randrange(len(data))] = source.randrange(256)
        for name, content in iter_archive(bytes(damaged), "a.zip"):
            assert isinstance(name, str)
            assert isinstance(content, bytes | ImageError)


def test_an_encrypted_entry_is_named_and_the_rest_is_read() -> None:
    data = bytearray(zipped({"a.png": b"secret", "b.png": b"open"}, zipfile.ZIP_STORED))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + flags] |= 1
    (name, error), other = iter_archive(bytes(data))
    assert name == "a.png"
    assert "encrypted" in str(error)
    assert other == ("b.png", b"open")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_without_a_bound_is_not_unpacked(method: int) -> None:
    ((_, error),) = iter_archive(zipped({"a.png": packed(drawing())}, method))
    assert isinstance(error, ImageError)
    assert "uses a rare compression" in str(error)


def test_a_bomb_is_not_unpacked() -> None:
    bombs = {"flat.bmp": bytes(15_000_000), "large.bmp": bytes(21_000_000)}
    found = dict(iter_archive(zipped(bombs)))
    assert "unpacks to suspiciously many bytes" in str(found["flat.bmp"])
    assert "unpacks to 21 MB, at most 20 MB" in str(found["large.bmp"])


def test_a_bomb_that_lies_about_its_size_is_not_unpacked() -> None:
    """The header says 100 bytes; no more than about those may come out."""
    data = bytearray(zipped({"a.bmp": bytes(10_000_000)}))
    for signature, size in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = data.index(signature) + size
        data[at : at + 4] = (100).to_bytes(4, "little")
    tracemalloc.start()
    ((_, content),) = iter_archive(bytes(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(content, ImageError)
    assert peak < 1_000_000


def many_entries(count: int, stated: int, zip64: bool) -> bytes:
    """The list of an archive with empty files and its end, which states how many there are."""
    name = b"a.png"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, len(name), *[0] * 6) + name
    listed = entry * count
    end = b""
    if zip64:
        record = (b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, len(listed), 0)
        end = struct.pack("<4sQ2H2L4Q", *record)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, len(listed), 1)
        stated = 0xFFFF
    return (
        listed + end + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, stated, stated, len(listed), 0, 0)
    )


@pytest.mark.parametrize(
    ("stated", "zip64", "said"),
    [
        (20_000, False, "has 20,000 entries, at most 10,000"),
        (200_000, True, "has 200,000 entries, at most 10,000"),
        (3, False, "has a list of entries of 10 MB, at most 5 MB"),
    ],
)
def test_a_long_list_of_entries_is_refused_before_it_is_read(
    stated: int, zip64: bool, said: str
) -> None:
    data = many_entries(200_000, stated, zip64)
    tracemalloc.start()
    assert said in only_error(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_an_archive_that_states_fewer_entries_than_it_has_is_refused() -> None:
    assert "has 20,000 entries, at most" in only_error(many_entries(20_000, 3, zip64=False))


def test_the_limits_of_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({f"{i}.png": bytes(100) for i in range(20)})
    monkeypatch.setattr(archives, "MAX_ENTRIES", 19)
    assert "has 20 entries, at most 19" in only_error(data)
    monkeypatch.undo()
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1999)
    assert "unpacks to" in only_error(data)
    monkeypatch.undo()
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", len(data) - 1)
    assert "split it" in only_error(data)


def test_files_folders_and_archives_make_one_stream(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "old" / ".git").mkdir(parents=True)
    (folder / "old" / "c.png").write_bytes(b"c")
    (folder / "old" / ".git" / "x").write_bytes(b"x")
    (folder / "b.png").write_bytes(b"b")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "z.zip").write_bytes(zipped({"d.png": b"d"}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").write_bytes(b"a")
    paths = [tmp_path / name for name in ("a.png", "pictures", "empty", "nowhere.png")]
    found = list(iter_files(paths))
    assert found[:4] == [
        (str(tmp_path / "a.png"), b"a"),
        ("pictures/b.png", b"b"),
        ("pictures/z.zip/d.png", b"d"),
        ("pictures/old/c.png", b"c"),
    ]
    assert "empty is a folder without files" in str(found[4][1])
    assert "nowhere.png cannot be opened (No such file" in str(found[5][1])


def test_a_file_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"early")
    stream = iter_files([tmp_path])
    next(stream)
    (tmp_path / "b.png").write_bytes(b"late")
    assert next(stream)[1] == b"late"


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(bytes(11))
    ((_, error),) = iter_files([tmp_path / "a.png"])
    assert isinstance(error, ImageError)
    assert "at most 0 MB" in str(error)


# Writing


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 1)), (5, (2, 3)), (64, (8, 8))])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_lie_in_reading_order(
    count: int, grid: tuple[int, int], channels: int, tmp_path: Path
) -> None:
    levels = (torch.arange(count) + 100) / 255
    images = levels[:, None, None, None].expand(count, channels, 8, 8)
    write_tiles(images, tmp_path / "tiles.png")
    with Image.open(tmp_path / "tiles.png") as written:
        assert written.mode == ("L" if channels == 1 else "RGB")
        pixels = np.asarray(written)
    rows, columns = grid
    assert pixels.shape[:2] == (rows * 57, columns * 57)
    for i in range(count):
        tile = pixels[i // columns * 57 + 1 :, i % columns * 57 + 1 :][:56, :56]
        assert (tile == 100 + i).all()
