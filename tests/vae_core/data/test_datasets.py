"""Data sets: their files, splits and binarisation."""

import dataclasses
import gzip
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tests.mirror import source_of, use_source
from vae_core.data.catalogue import at_hand, bytes_to_download, file_names
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.data.download import DownloadError
from vae_core.data.mnist import read_idx
from vae_core.data.pixels import binarise, evaluation_images, packed_images
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import DataError, Split, find_dataset

IDX_PARTS = {"train": 60_000, "t10k": 10_000}


def idx(values: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
    )


def family_member(folder: Path, pack: Callable[[bytes], bytes], suffix: str) -> None:
    """Files like those of MNIST: image i is filled with i mod 251, its label is i mod 10."""
    folder.mkdir(parents=True)
    for part, count in IDX_PARTS.items():
        i = np.arange(count)
        images = np.broadcast_to((i % 251).astype(np.uint8)[:, None, None], (count, 28, 28))
        labels = (i % 10).astype(np.uint8)
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{part}-{kind}-ubyte{suffix}").write_bytes(pack(idx(values)))


@pytest.fixture(scope="module")
def grey_levels() -> torch.Tensor:
    return torch.arange(256, dtype=torch.uint8).repeat(20_000, 1)


def test_digits_are_those_of_scikit_learn_in_a_new_order(digits: Dataset) -> None:
    published, classes = load_digits(return_X_y=True)
    order = np.random.RandomState(0).permutation(1797)
    assert list(order[:5]) == [1081, 1707, 927, 713, 262]
    expected = np.array([[round(v * 255 / 16) for v in row] for row in published[order]])
    assert np.array_equal(digits.images.flatten(1).numpy(), expected)
    assert np.array_equal(digits.labels.numpy(), classes[order])


def test_the_splits_take_every_digit_once(digits: Dataset) -> None:
    sizes = {name: len(digits.split(name)[0]) for name in digits.info.sizes}
    assert sizes == {"train": 1297, "validation": 200, "test": 300}
    together = torch.cat([digits.split(name)[0] for name in digits.info.sizes])
    assert torch.equal(together, digits.images)
    for name in digits.info.sizes:
        assert set(digits.split(name)[1].tolist()) == set(range(10))


def test_a_changed_data_set_does_not_change_the_next_one() -> None:
    load_dataset("digits").images.zero_()
    assert load_dataset("digits").images.max() == 255


def test_moving_a_data_set_keeps_everything_else(digits: Dataset) -> None:
    moved = digits.to("meta")
    assert moved.images.device.type == moved.labels.device.type == "meta"
    assert (moved.name, moved.splits) == (digits.name, digits.splits)


@pytest.mark.parametrize("where", ["kmnist", "."])
@pytest.mark.parametrize(
    ("pack", "suffix"), [(lambda data: gzip.compress(data, 1), ".gz"), (bytes, "")]
)
def test_idx_files_are_read_packed_or_not_from_either_place(
    where: str,
    pack: Callable[[bytes], bytes],
    suffix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VAE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path / "cache"))
    family_member(tmp_path / "data" / where, pack, suffix)
    data = load_dataset("kmnist")
    assert data.images.shape == (70_000, 1, 28, 28)
    assert data.images.dtype == torch.uint8
    assert data.labels.dtype == torch.int64
    starts: dict[Split, int] = {"train": 0, "validation": 50_000, "test": 0}
    for split, first in starts.items():
        images, labels = data.split(split)
        i = torch.arange(first, first + len(images))
        assert torch.equal(images[:, 0, 0, 0], (i % 251).to(torch.uint8))
        assert torch.equal(labels, i % 10)
        assert len(images) == data.info.sizes[split]


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1],
    "too long": lambda data: data + b"\0",
    "only a header": lambda data: data[:8],
    "half a header": lambda data: data[:6],
    "empty": lambda _: b"",
    "floats": lambda data: data[:2] + b"\x0d" + data[3:],
    "other dimensions": lambda data: data[:8] + (29).to_bytes(4, "big") + data[12:],
    "text": lambda _: b"<html>not here</html>",
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_damaged_idx_file_is_refused_by_name(
    corruption: str, packed: bool, tmp_path: Path
) -> None:
    whole = idx(np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28))
    path = tmp_path / "images-idx3-ubyte"
    pack = gzip.compress if packed else bytes
    path.write_bytes(pack(whole))
    assert read_idx(path, (3, 28, 28)).shape == (3, 28, 28)
    path.write_bytes(pack(CORRUPTIONS[corruption](whole)))
    with pytest.raises(DataError, match=r"images-idx3-ubyte cannot be used: .* Delete it"):
        read_idx(path, (3, 28, 28))


@pytest.mark.parametrize("cut", [12, 200, -9, -1])
def test_a_gzip_file_cut_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    values = np.random.RandomState(0).randint(0, 256, (3, 28, 28)).astype(np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(values))[:cut])
    with pytest.raises(DataError, match="truncated or corrupt"):
        read_idx(path, (3, 28, 28))


def test_a_flipped_bit_in_a_gzip_file_is_noticed(tmp_path: Path) -> None:
    values = np.random.RandomState(0).randint(0, 256, (3, 28, 28)).astype(np.uint8)
    packed = bytearray(gzip.compress(idx(values), 0))
    packed[1000] ^= 1
    path = tmp_path / "images.gz"
    path.write_bytes(packed)
    with pytest.raises(DataError, match="truncated or corrupt"):
        read_idx(path, (3, 28, 28))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="digits, mnist"):
        load_dataset("svhn")  # pyright: ignore[reportArgumentType]


def test_zero_stays_zero_and_white_stays_one(grey_levels: torch.Tensor) -> None:
    drawn = binarise(grey_levels, "dynamic", torch.Generator().manual_seed(0))
    assert drawn.dtype == torch.float32
    assert drawn.shape == grey_levels.shape
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn[:, 0].sum() == 0
    assert drawn[:, 255].sum() == len(drawn)


def test_a_grey_level_is_the_probability_of_a_one(grey_levels: torch.Tensor) -> None:
    """256 binomial frequencies: their standardised squares follow a chi-squared law."""
    drawn = binarise(grey_levels, "dynamic", torch.Generator().manual_seed(1)).double()
    p = torch.arange(256, dtype=torch.float64) / 255
    z = (drawn.mean(0) - p)[1:-1] / (p * (1 - p) / len(drawn)).sqrt()[1:-1]
    assert z.abs().max() < 4.2
    assert abs(z.square().sum() - 254) < 4.5 * (2 * 254) ** 0.5
    assert abs(z.mean()) < 4 / 254**0.5


def test_equal_draws_decide_every_level_by_one_threshold() -> None:
    """With the same draw u, uniform on 0…254, a pixel is 1 exactly where u < v: so P(1) = v/255."""
    levels = torch.arange(256, dtype=torch.uint8)
    drawn = torch.stack(
        [
            binarise(level.repeat(10_000), "dynamic", torch.Generator().manual_seed(2))
            for level in levels
        ]
    )
    threshold = drawn.sum(0)  # how many levels were drawn as 1: 255 - u
    assert torch.equal(drawn, (levels[:, None] > 255 - threshold).float())
    counts = torch.bincount(255 - threshold.long(), minlength=255)
    assert len(counts) == 255
    chi_squared = ((counts - 10_000 / 255).square() / (10_000 / 255)).sum()
    assert abs(chi_squared - 254) < 4 * (2 * 254) ** 0.5


def test_neighbouring_pixels_are_drawn_independently() -> None:
    drawn = binarise(
        torch.full((400_000, 8), 128, dtype=torch.uint8),
        "dynamic",
        torch.Generator().manual_seed(3),
    )
    correlation = torch.corrcoef(drawn.T) - torch.eye(8)
    assert correlation.abs().max() < 4.5 / 400_000**0.5


def test_threshold_is_at_one_half_and_none_keeps_grey(grey_levels: torch.Tensor) -> None:
    levels = grey_levels[0]
    assert torch.equal(binarise(levels, "threshold"), (levels.double() / 255 > 0.5).float())
    assert torch.equal(binarise(levels, "none"), levels.float() / 255)


def test_the_same_seed_draws_the_same_and_another_does_not(digits: Dataset) -> None:
    def drawn(seed: int) -> torch.Tensor:
        return binarise(digits.images, "dynamic", torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 1, 5, 7), (2, 1, 8, 8)])
@pytest.mark.parametrize("protocol", ["dynamic", "threshold", "none"])
def test_any_shape_is_binarised(shape: tuple[int, ...], protocol: Binarisation) -> None:
    images = torch.full(shape, 255, dtype=torch.uint8)
    assert torch.equal(binarise(images, protocol), torch.ones(shape))


def test_a_view_with_strides_is_binarised_like_its_copy(digits: Dataset) -> None:
    turned = digits.images.transpose(2, 3)[::2]
    drawn, expected = (
        binarise(images, "dynamic", torch.Generator().manual_seed(4))
        for images in (turned, turned.contiguous())
    )
    assert torch.equal(drawn, expected)


def test_only_bytes_are_binarised() -> None:
    with pytest.raises(TypeError, match="uint8"):
        binarise(torch.rand(2, 1, 8, 8), "dynamic")


@pytest.mark.parametrize("protocol", ["dynamic", "threshold", "none"])
def test_an_evaluation_image_does_not_depend_on_the_limit(
    protocol: Binarisation, digits: Dataset
) -> None:
    whole, labels = evaluation_images(digits, "test", protocol, seed=5)
    assert whole.shape == (300, 1, 8, 8)
    torch.manual_seed(1)  # the global generator plays no part
    for limit in (1, 7, 300, 1000):
        x, y = evaluation_images(digits, "test", protocol, seed=5, limit=limit)
        assert torch.equal(x, whole[:limit])
        assert torch.equal(y, labels[:limit])


@pytest.mark.mnist
def test_mnist_is_mnist(mnist: Dataset) -> None:
    assert {name: len(mnist.split(name)[0]) for name in mnist.splits} == dict(mnist.info.sizes)
    assert mnist.split("train")[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.split("test")[1][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert mnist.images[:60_000].double().mean() == pytest.approx(33.318421, abs=1e-6)


@pytest.mark.mnist
@pytest.mark.parametrize("other", ["fashion-mnist", "kmnist"])
def test_mnist_is_not_taken_for_another_data_set(
    other: str, mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data sets of the family use the same file names."""
    shutil.copytree(mnist_folder, tmp_path / "data")
    monkeypatch.setenv("VAE_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(
        DataError, match=f"belongs to MNIST 28×28, not to {find_dataset(other).title}"
    ):
        load_dataset(other)


def put_into(folder: Path, names: Iterable[str], size: int | None = None) -> None:
    """Files of those names, as long as the published ones or ``size``, with nothing in them."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {file.name: file.size for file in source_of("mnist").files}
    for name in names:
        with (folder / name).open("wb") as file:
            file.truncate(sizes.get(name, 1) if size is None else size)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Where data sets are looked for; empty."""
    found = {"VAE_DATA_DIR": tmp_path / "data", "VAE_CACHE_DIR": tmp_path / "cache"}
    for name, folder in found.items():
        monkeypatch.setenv(name, str(folder))
    return found


def test_what_comes_with_the_program_is_at_hand_and_what_must_be_downloaded_is_not(
    places: dict[str, Path],
) -> None:
    assert at_hand("digits")
    assert bytes_to_download("digits") == 0
    assert file_names("digits") == ()
    for name in ("mnist", "fashion-mnist", "kmnist"):
        assert not at_hand(name)
        assert bytes_to_download(name) == sum(file.size for file in source_of(name).files)
    assert not any(folder.exists() for folder in places.values())


@pytest.mark.parametrize(
    ("variable", "below", "packed"),
    [
        ("VAE_DATA_DIR", "mnist", True),
        ("VAE_DATA_DIR", "mnist", False),
        ("VAE_DATA_DIR", ".", False),
        ("VAE_CACHE_DIR", "mnist", True),
    ],
)
def test_files_that_are_here_need_no_download(
    places: dict[str, Path], variable: str, below: str, packed: bool
) -> None:
    names = [name if packed else Path(name).stem for name in file_names("mnist")]
    put_into(places[variable] / below, names[1:])
    assert bytes_to_download("mnist") == source_of("mnist").files[0].size
    put_into(places[variable] / below, names)
    assert at_hand("mnist")


def test_half_a_download_is_not_at_hand(places: dict[str, Path]) -> None:
    put_into(places["VAE_CACHE_DIR"] / "mnist", file_names("mnist"), size=1000)
    assert not at_hand("mnist")


def test_a_data_folder_that_does_not_exist_is_said_instead_of_advised(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = dataclasses.replace(source_of("mnist"), mirrors=("http://127.0.0.1:9/",))
    use_source("mnist", nowhere, monkeypatch)
    with pytest.raises(DownloadError, match="VAE_DATA_DIR is set, but to a folder that does not"):
        load_dataset("mnist")
    assert f"VAE_DATA_DIR is {places['VAE_DATA_DIR']}, which is not a folder." in caplog.messages
    places["VAE_DATA_DIR"].mkdir()
    with pytest.raises(DownloadError, match="set VAE_DATA_DIR to that folder"):
        load_dataset("mnist")


@pytest.mark.usefixtures("places")
def test_what_is_missing_is_named_before_why_it_could_not_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nowhere = dataclasses.replace(source_of("mnist"), mirrors=("http://127.0.0.1:9/",))
    use_source("mnist", nowhere, monkeypatch)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"^MNIST 28×28 \(12 MB\) is not on this computer: .*"):
        load_dataset("mnist")


@pytest.mark.parametrize("protocol", ["dynamic", "threshold", "none"])
def test_packed_images_are_the_evaluation_images_in_a_quarter_of_the_memory(digits, protocol):
    whole, labels = evaluation_images(digits, "test", protocol, seed=5)
    packed, same = packed_images(digits, "test", protocol, seed=5)
    assert torch.equal(labels, same)
    assert len(packed) == len(whole)
    assert packed.levels.element_size() == 1
    places = np.array([7, 0, 7])
    for chosen in (slice(3, 9), torch.tensor([5, 2]), places):
        assert torch.equal(packed[chosen], whole[chosen])
        assert packed[chosen].dtype == torch.float32
