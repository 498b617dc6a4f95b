"""Pictures with very many pixels take little memory, and one is decoded at a time."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_core.data import decode as module
from vae_core.data import picture as conversions
from vae_core.data.decode import ImageError, decode

ROOT = Path(__file__).resolve().parents[3]
MB = 2**20
PEAK = """
import sys
from pathlib import Path
from vae_core.data.decode import decode

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

small, large = map(Path, sys.argv[1:])
decode(small, "small")
before = peak()
grey, _ = decode(large, "large")
print(peak() - before, *grey.shape)
"""


def ramp(width: int, height: int, mode: str) -> Image.Image:
    """A picture that is dark on the left and bright on the right."""
    levels = np.linspace(0, 255, width).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(levels, (height, width)))
    return Image.merge(mode, [picture] * len(mode)) if len(mode) > 1 else picture


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc tells the memory")
@pytest.mark.parametrize(
    ("kind", "mode", "most"),
    [("JPEG", "RGB", 150), ("PNG", "RGB", 230), ("PNG", "RGBA", 260)],
)
def test_forty_megapixels_take_little_more_than_their_bytes(
    kind: str, mode: str, most: int, tmp_path: Path
) -> None:
    (tmp_path / "small").write_bytes(encoded(ramp(64, 64, mode), kind))
    (tmp_path / "large").write_bytes(encoded(ramp(8000, 5000, mode), kind))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "small"), str(tmp_path / "large")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    kilobytes, *shape = map(int, done.stdout.split())
    assert shape == [640, 1024]
    assert kilobytes < most * 1024  # the pixels themselves have 160 MB


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK"])
def test_reducing_band_by_band_is_reducing_the_whole(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversions, "_BAND", 3 * 4099)
    pixels = np.random.default_rng(0).integers(0, 256, (37, 4099, len(mode)), np.uint8)
    picture = Image.fromarray(pixels.squeeze(-1) if mode == "L" else pixels, mode)
    found = conversions._reduced(picture.size, lambda top, end: picture.crop((0, top, 4099, end)))
    assert found is not None
    np.testing.assert_array_equal(np.asarray(found), np.asarray(picture.reduce(2)))


def test_a_large_jpeg_shows_the_same_picture_as_the_png_of_it() -> None:
    picture = ramp(5000, 4200, "L")
    from_jpeg, steps = decode(encoded(picture, "JPEG", quality=95), "a.jpg")
    from_png, _ = decode(encoded(picture, "PNG"), "a.png")
    assert from_jpeg.shape == from_png.shape == (860, 1024)
    assert np.abs(from_jpeg - from_png).max() < 0.02
    assert "5000×4200 pixels" in steps[0].reason


def test_the_largest_level_of_16_bits_is_that_of_the_whole_picture() -> None:
    levels = np.zeros((4200, 4200), np.uint16)
    levels[:, 2100:] = 2000
    levels[0, 0] = 4000  # one pixel, which a mean would hide
    grey, steps = decode(encoded(Image.fromarray(levels), "PNG"), "a.png")
    assert "divided by the largest of them, 4,000" in steps[-1].reason
    assert grey[500, 900] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_that_a_webp_states_is_read_without_decoding_it(lossless: bool) -> None:
    picture = ramp(301, 17, "RGB")
    assert module._size(encoded(picture, "WEBP", lossless=lossless)) == (301, 17)
    animated = encoded(picture, "WEBP", save_all=True, append_images=[ramp(301, 17, "RGB")] * 2)
    assert module._size(animated) == (301, 17)


def test_a_webp_of_a_few_bytes_that_states_millions_of_pixels_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = (0x2F | (5999 | 5999 << 14) << 8).to_bytes(5, "little")
    body = b"WEBPVP8L" + (20).to_bytes(4, "little") + start + bytes(15)
    data = b"RIFF" + len(body).to_bytes(4, "little") + body
    monkeypatch.setattr(Image, "open", None)  # Pillow would take the memory
    with pytest.raises(ImageError, match=r"bomb.webp states 6,000×6,000 pixels, far more than"):
        decode(data, "bomb.webp")


class Turns:
    """A lock that counts how often it was taken."""

    taken = 0

    def __enter__(self) -> None:
        self.taken += 1

    def __exit__(self, *_: object) -> None: ...


def test_only_pictures_with_many_pixels_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = Turns()
    monkeypatch.setattr(module, "_turn_of_big", turns)
    decode(encoded(ramp(100, 100, "L"), "PNG"), "small.png")
    assert turns.taken == 0
    decode(encoded(ramp(2001, 2000, "L"), "PNG"), "large.png")
    assert turns.taken == 1
