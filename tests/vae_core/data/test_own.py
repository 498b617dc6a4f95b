"""Data sets of the user's own: from files of every kind to what ``load_dataset`` returns."""

import io
import json
import subprocess
import sys
import tarfile
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
    write_zip,
)
from vae_core import AddOptions, add_dataset, load_dataset
from vae_core.data import own
from vae_core.data.catalogue import at_hand, stored_datasets
from vae_core.data.kept import kept_datasets, remove_dataset, restore_dataset
from vae_core.data.prepare import PrepareOptions, prepare
from vae_core.data.sources import base
from vae_core.settings.data_sets import DataError, find_dataset
from vae_core.settings.fields import ConfigError


@pytest.fixture(autouse=True)
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_folder(monkeypatch, tmp_path / "kept")


# What is kept


def test_class_folders_become_classes_and_every_pixel_is_kept(tmp_path: Path) -> None:
    files = class_folders()
    info = add_dataset("pets", write_files(tmp_path / "pets", files))
    data = load_dataset("pets")
    assert (info.image_shape, info.classes) == ((1, 12, 10), ("cats", "dogs"))
    assert info.sizes == {"train": 48, "validation": 6, "test": 6}
    images, labels = data.split("train")
    for name, image, label in zip(parts_of("pets", "train"), images, labels, strict=True):
        assert name.startswith(info.classes[label])
        assert np.array_equal(image[0].numpy(), np.asarray(Image.open(io.BytesIO(files[name]))))


def test_the_split_has_the_classes_in_the_same_proportion(tmp_path: Path) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders(120)))
    data = load_dataset("pets")
    counts = {split: data.split(split)[1].bincount().tolist() for split in data.splits}
    assert counts == {"train": [64, 32], "validation": [8, 4], "test": [8, 4]}


def test_the_same_source_and_seed_give_the_same_data_set(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    archive = write_zip(tmp_path / "pets.zip", class_folders())
    first, second = add_dataset("one", folder), add_dataset("two", folder)
    other = add_dataset("three", folder, AddOptions(seed=1))
    assert first.digest == second.digest != other.digest
    assert sorted(parts_of("one", "test")) != sorted(parts_of("three", "test"))
    assert find_dataset("one").sizes == add_dataset("four", archive).sizes


def test_a_part_begins_with_images_of_all_classes(tmp_path: Path) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders(120)))
    labels = load_dataset("pets").split("train")[1]
    assert labels[:20].unique().tolist() == [0, 1]  # figures of the first images are of all


def test_the_record_says_where_it_came_from_and_how(tmp_path: Path, kept_in: Path) -> None:
    files = class_folders() | {"notes.txt": b"hello"}
    add_dataset("pets", write_files(tmp_path / "pets", files))
    record = json.loads((kept_in / "pets" / "dataset.json").read_text("utf-8"))
    assert record["source"] == "pets (folder, 61 entries)"
    assert record["counts"] == {"train": 48, "validation": 6, "test": 6}
    assert [each["file"] for each in record["rejected"]] == ["notes.txt"]
    assert "not an image" in record["rejected"][0]["reason"]
    assert any("steps of 17 %" in note for note in record["notes"])
    assert str(tmp_path) not in json.dumps(record)  # a run that is mailed tells no paths


def test_images_are_mapped_from_disk_and_writing_to_them_changes_no_file(tmp_path: Path) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders()))
    before = kept_datasets()["pets"].current_digest()
    load_dataset("pets").images[0] = 0
    assert kept_datasets()["pets"].current_digest() == before


# Parts


def test_parts_of_the_source_are_kept_and_validation_comes_from_training(tmp_path: Path) -> None:
    files = {
        f"{'train' if i < 60 else 'test'}/{'ab'[i % 2]}/{i}.png": encoded(picture)
        for i, picture in enumerate(pictures(80))
    }
    info = add_dataset("parts", write_files(tmp_path / "parts", files))
    assert info.sizes == {"train": 53, "validation": 7, "test": 20}
    assert info.classes == ("a", "b")
    assert all(name.startswith("test/") for name in parts_of("parts", "test"))
    assert all(name.startswith("train/") for name in parts_of("parts", "validation"))


def test_one_folder_called_train_is_the_whole_data_set(tmp_path: Path) -> None:
    files = {f"train/{name}": content for name, content in class_folders().items()}
    info = add_dataset("parts", write_files(tmp_path / "parts", files))
    assert info.sizes == {"train": 48, "validation": 6, "test": 6}
    assert info.classes == ("cats", "dogs")


def test_nested_folders_are_classes_below_the_common_root(tmp_path: Path) -> None:
    files = {
        f"all/images/{'Greek' if i % 2 else 'Latin'}/letter{i % 3}/{i}.png": encoded(picture)
        for i, picture in enumerate(pictures(60))
    }
    info = add_dataset("letters", write_files(tmp_path / "letters", files))
    assert info.classes[0] == "Greek/letter0"
    assert len(info.classes) == 6


def test_a_class_called_train_is_a_class_beside_others(tmp_path: Path) -> None:
    files = {
        f"{'train' if i % 2 else 'bus'}/{i}.png": encoded(p) for i, p in enumerate(pictures(60))
    }
    assert add_dataset("vehicles", write_files(tmp_path / "v", files)).classes == ("bus", "train")


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    files = {f"{i}.png": encoded(picture) for i, picture in enumerate(pictures(60))}
    info = add_dataset("flat", write_files(tmp_path / "flat", files))
    assert info.classes == ()
    assert load_dataset("flat").labels.unique().tolist() == [-1]


def test_a_table_states_classes_and_parts(tmp_path: Path) -> None:
    files = {f"img/{i}.png": encoded(picture) for i, picture in enumerate(pictures(80))}
    rows = [f"img/{i}.png;{i % 2 + 7};{'test' if i < 20 else 'train'}" for i in range(79)]
    table = "\n".join(["file;label;split", *rows, "img/lost.png;7;train"])
    info = add_dataset("t", write_files(tmp_path / "t", files | {"labels.csv": table.encode()}))
    record = kept_datasets()["t"].record
    assert (info.classes, info.sizes["test"]) == (("7", "8"), 20)
    assert [each["file"] for each in record["rejected"]] == ["img/lost.png"]
    assert "no such readable image" in record["rejected"][0]["reason"]
    assert "1 images have no class." in record["notes"]


def test_copies_of_an_image_are_counted_and_stay_in_one_part(tmp_path: Path) -> None:
    some = pictures(60)
    files = {f"{i}.png": encoded(some[i % 60]) for i in range(90)}
    add_dataset("copies", write_files(tmp_path / "copies", files))
    data, record = load_dataset("copies"), kept_datasets()["copies"].record
    seen = [{image.numpy().tobytes() for image in data.split(split)[0]} for split in data.splits]
    assert record["duplicates"] == {"copies": 30, "left_out": 0}
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_a_copy_of_a_test_image_is_left_out_of_training(tmp_path: Path) -> None:
    some = pictures(80)
    files = {f"train/{i}.png": encoded(picture) for i, picture in enumerate(some[:60])}
    files |= {f"test/{i}.png": encoded(picture) for i, picture in enumerate(some[55:])}
    info = add_dataset("leak", write_files(tmp_path / "leak", files))
    assert info.sizes["test"] == 25
    assert sum(info.sizes.values()) == 80
    assert kept_datasets()["leak"].record["duplicates"] == {"copies": 5, "left_out": 5}


# Kinds of sources


def test_a_tar_archive_gives_what_its_folder_gives(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz")):
        with tarfile.open(tmp_path / f"pets{suffix}", mode) as tar:  # type: ignore[call-overload]
            tar.add(folder, "pets")
    plain = add_dataset("plain", tmp_path / "pets.tar")
    assert plain.classes == ("cats", "dogs")
    assert plain.sizes == add_dataset("zipped", tmp_path / "pets.tar.gz").sizes


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda a: a[:, :, :, 0], (1, 12, 10)),
        (lambda a: a, (3, 12, 10)),
        (lambda a: a.transpose(0, 3, 1, 2), (3, 12, 10)),
        (lambda a: a[..., :1].transpose(0, 3, 1, 2), (1, 12, 10)),
        (lambda a: a / np.float32(255), (3, 12, 10)),
        (lambda a: a.astype(np.uint16) * 257, (3, 12, 10)),
    ],
)
def test_arrays_of_every_layout_and_type_give_the_same_pixels(
    tmp_path: Path, made: object, shape: tuple[int, int, int]
) -> None:
    colours = pictures(60, (12, 10, 3))
    colours[0] = 255
    np.save(tmp_path / "a.npy", made(colours))  # type: ignore[operator]
    info = add_dataset("a", tmp_path / "a.npy")
    assert info.image_shape == shape
    index = int(parts_of("a", "test")[0].split("[")[1][:-1])
    expected = colours[index].transpose(2, 0, 1)[: shape[0]]
    assert np.array_equal(load_dataset("a").split("test")[0][0].numpy(), expected)


def test_binary_arrays_become_black_and_white(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=pictures(60) > 127, labels=np.arange(60) % 3 * 10)
    info = add_dataset("a", tmp_path / "a.npz")
    assert info.classes == ("0", "10", "20")
    assert load_dataset("a").images.unique().tolist() == [0, 255]


def test_the_range_can_be_given(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pictures(60) // 128)
    add_dataset("auto", tmp_path / "a.npy")
    add_dataset("given", tmp_path / "a.npy", AddOptions(range="255"))
    assert load_dataset("auto").images.max() == 255
    assert load_dataset("given").images.max() == 1


def test_parquet_files_of_hugging_face_are_read(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"bytes": encoded(picture), "path": f"{i}.png"} for i, picture in enumerate(pictures(80))
    ]
    about = {"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    for part, chosen in (("train", rows[:60]), ("test", rows[60:])):
        table = pyarrow.table({"image": chosen, "label": [i % 2 for i in range(len(chosen))]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        (tmp_path / "data").mkdir(exist_ok=True)
        pyarrow.parquet.write_table(table, tmp_path / "data" / f"{part}-00000-of-00001.parquet")
    info = add_dataset("hf", tmp_path / "data")
    assert (info.classes, info.sizes["test"]) == (("no", "yes"), 20)


# Suggestions and choices


def test_files_of_many_sizes_get_a_common_size_with_a_reason(tmp_path: Path) -> None:
    files = {f"{i}.jpg": encoded(pictures(1, (90 + i, 150, 3), i)[0], "JPEG") for i in range(50)}
    info = add_dataset("many", write_files(tmp_path / "many", files))
    assert info.image_shape == (3, 49, 64)
    assert any(
        "many sizes, about 114×150" in each for each in kept_datasets()["many"].record["reasons"]
    )


def test_drawings_of_many_sizes_are_prepared_as_ink(tmp_path: Path) -> None:
    files = {}
    for i in range(50):
        drawn = np.full((150 + i, 140), 250, np.uint8)
        drawn[30 + i : 60 + i, 40:50] = 10
        drawn[50 + i : 60 + i, 40 : 60 + i] = 10
        files[f"{i}.png"] = encoded(drawn)
    folder = write_files(tmp_path / "ink", files)
    info = add_dataset("ink", folder)
    assert info.preparation is not None
    assert info.preparation.way == "ink"
    assert info.image_shape == (1, 28, 28)
    image = load_dataset("ink").split("train")[0][0]
    again = prepare(files[parts_of("ink", "train")[0]], "a.png", info.image_shape, dataset=info)
    assert np.array_equal(image, again.pixels)  # scoring prepares a file as the data set was


def test_dark_drawings_of_one_size_are_inverted(tmp_path: Path) -> None:
    drawn = np.full((60, 40, 40), 255, np.uint8)
    for i in range(60):
        drawn[i, 10:20, 5 : 8 + i % 20] = 0
        drawn[i, 20 + i // 20, 10] = 0
    files = {f"{i}.png": encoded(each) for i, each in enumerate(drawn)}
    info = add_dataset("dark", write_files(tmp_path / "dark", files))
    assert info.preparation is not None
    assert info.preparation.invert == "yes"
    assert load_dataset("dark").images[0, 0, 0, 0] == 0


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_photos_are_prepared_for_scoring_as_they_were_for_the_data_set(
    tmp_path: Path, fit: str
) -> None:
    files = {f"{i}.png": encoded(p) for i, p in enumerate(pictures(50, (40, 60, 3)))}
    options = AddOptions(size="16x12", fit=fit, invert="yes")  # type: ignore[arg-type]
    info = add_dataset("photos", write_files(tmp_path / "photos", files), options)
    image = load_dataset("photos").split("test")[0][0]
    content = files[parts_of("photos", "test")[0]]
    again = prepare(content, "a.png", info.image_shape, dataset=info)
    assert np.array_equal(image, again.pixels)
    assert again.inverted
    assert image.shape == (3, 16, 12)
    kept = prepare(content, "a.png", info.image_shape, PrepareOptions(invert="no"), info)
    assert np.array_equal(255 - image, kept.pixels)


@pytest.mark.parametrize("size", ["7", "129", "32x", "x32", "32x200", "-3", "3.5"])
def test_a_size_outside_the_bounds_is_refused(size: str) -> None:
    with pytest.raises(ConfigError, match="height x width, each 8 to 128"):
        AddOptions(size=size)


@pytest.mark.parametrize("split", ["80/20", "100/0/0", "80/10/20", "a/b/c", "nan/50/50"])
def test_shares_that_do_not_add_up_are_refused(split: str) -> None:
    with pytest.raises(ConfigError, match="add up to 100"):
        AddOptions(split=split)


# Names, removing, trouble


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".x", "-x", "a b", "x" * 65, "a\n", "digits", "MNIST"]
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"cannot be the name|built-in"):
        add_dataset(name, tmp_path)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    add_dataset("pets", folder)
    with pytest.raises(DataError, match="already"):
        add_dataset("Pets", folder)


def test_removing_can_be_undone(tmp_path: Path) -> None:
    info = add_dataset("pets", write_files(tmp_path / "pets", class_folders()))
    moved = remove_dataset("pets")
    assert not at_hand("pets")
    assert "pets" not in stored_datasets()
    with pytest.raises(DataError, match="There is no data set"):
        find_dataset("pets")
    assert restore_dataset(moved) == "pets"
    assert find_dataset("pets").digest == info.digest


def test_fewer_than_50_different_images_are_refused(tmp_path: Path, kept_in: Path) -> None:
    files = {f"{i}.png": encoded(picture) for i, picture in enumerate(pictures(49))}
    files["again.png"] = files["0.png"]
    with pytest.raises(DataError, match=r"49 different images .* at least 50"):
        add_dataset("few", write_files(tmp_path / "few", files))
    assert list(kept_in.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(tmp_path: Path, kept_in: Path) -> None:
    steps = own.add_dataset_steps("pets", write_files(tmp_path / "pets", class_folders()))
    next(steps)
    assert list(kept_in.iterdir()) != []
    steps.close()
    assert list(kept_in.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_command_left_over_is_removed_by_the_next_one(
    tmp_path: Path, kept_in: Path
) -> None:
    source = write_files(tmp_path / "pets", class_folders())
    program = (
        "import sys, vae_core.data.own as own\n"
        "steps = own.add_dataset_steps('killed', sys.argv[1])\n"
        "next(steps)\nprint('begun', flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(source)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        own.sweep_staging()
        (begun,) = kept_in.iterdir()  # it is in use
        process.kill()
    assert list(kept_in.iterdir()) == [begun]
    add_dataset("next", source)
    assert [each.name for each in kept_in.iterdir()] == ["next"]


def test_a_source_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    steps = own.add_dataset_steps("pets", folder)
    next(steps)
    (folder / "cats" / "1.png").unlink()
    with pytest.raises(DataError, match="changed while it was read"):
        list(steps)


def test_a_damaged_data_set_is_named_and_the_others_work(tmp_path: Path, kept_in: Path) -> None:
    folder = write_files(tmp_path / "pets", class_folders())
    add_dataset("good", folder)
    add_dataset("bad", folder)
    (kept_in / "bad" / "images.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="'bad' is damaged"):
        load_dataset("bad")
    assert len(load_dataset("good").images) == 60


def test_more_files_than_an_archive_to_score_may_have_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vae_core.data import archives

    monkeypatch.setattr(archives, "MAX_ENTRIES", 10)
    archive = write_zip(tmp_path / "pets.zip", class_folders())
    assert sum(add_dataset("pets", archive).sizes.values()) == 60
    assert base.MOST_FILES >= 100_000


@pytest.mark.parametrize(
    ("shape", "likelihood"),
    [((12, 10), "discretised-logistic"), ((12, 10, 3), "discretised-logistic-mixture")],
)
def test_the_likelihood_that_fits_the_pixels_is_suggested(
    tmp_path: Path, shape: tuple[int, ...], likelihood: str
) -> None:
    add_dataset("pets", write_files(tmp_path / "pets", class_folders(shape=shape)))
    assert find_dataset("pets").suggested["likelihood"] == likelihood


def test_drawings_in_black_and_white_suggest_bernoulli(tmp_path: Path) -> None:
    pixels = np.where(pictures(60) < 200, 0, 255).astype(np.uint8)
    files = {f"{index}.png": encoded(picture) for index, picture in enumerate(pixels)}
    add_dataset("ink", write_files(tmp_path / "ink", files))
    assert find_dataset("ink").suggested == {
        "likelihood": "bernoulli", "binarisation": "dynamic", "latent_size": 2, "epochs": 200,
    }  # fmt: skip
