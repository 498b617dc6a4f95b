"""One object in the table of data sets is all that another data set takes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae_core.cli.main import main
from vae_core.data.catalogue import BUILT_IN, at_hand, file_names, stored_dataset
from vae_core.data.datasets import load_dataset
from vae_core.data.download import Progress
from vae_core.data.prepare import prepare
from vae_core.data.stored import Layout, Pixels, StoredDataset
from vae_core.settings.config import RunConfig, explain
from vae_core.settings.data_sets import DataError, DatasetInfo, find_dataset, known_datasets
from vae_core.settings.fields import ConfigError

INFO = DatasetInfo(
    "flags",
    "Flags 6×4",
    (3, 4, 6),
    {"train": 5, "validation": 3, "test": 2},
    embedded=True,
    classes=("striped", "plain", "dotted"),
)


class Flags(StoredDataset):
    def load(self, progress: Progress | None = None) -> Pixels:
        count = sum(self.info.sizes.values())
        images = np.arange(count * 72, dtype=np.uint8).reshape(count, 3, 4, 6)
        return images, np.arange(count) % 3


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(0.5, 0.5, 1, "box", 1, shades=False, reason="half as large")
    monkeypatch.setitem(BUILT_IN, "flags", Flags(INFO, layout))


@pytest.mark.usefixtures("flags")
def test_an_added_data_set_is_loaded_by_name() -> None:
    data = load_dataset("flags")
    assert data.info is INFO
    assert {split: len(data.split(split)[0]) for split in INFO.sizes} == INFO.sizes
    assert data.split("test")[1].tolist() == [2, 0]
    assert at_hand("flags")
    assert file_names("flags") == ()


@pytest.mark.usefixtures("flags")
def test_a_run_on_an_added_data_set_has_its_shape_and_classes() -> None:
    config = RunConfig.from_settings({"dataset": "flags"})
    assert (config.model.image_shape, config.model.classes) == ((3, 4, 6), 3)
    assert RunConfig.from_dict(config.to_dict()) == config


@pytest.mark.usefixtures("flags")
def test_an_added_data_set_is_offered_where_one_is_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    about = explain("dataset")
    assert about.titles["flags"] == "Flags 6×4"
    assert about.choices == tuple(known_datasets())
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "fashion-mnist,kmnist,flags}" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.usefixtures("flags")
def test_files_are_laid_out_as_an_added_data_set_is() -> None:
    sheet = np.full((300, 300), 255, np.uint8)
    sheet[100:200, 130:170] = 0
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    pixels = prepare(file.getvalue(), "a.png", (3, 28, 28), dataset="flags").pixels
    assert pixels.shape == (3, 28, 28)
    assert int((pixels[0].amax(1) > 0).sum()) == 14


def test_a_removed_data_set_is_not_offered_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "kmnist" in (explain("dataset").choices or ())
    monkeypatch.delitem(BUILT_IN, "kmnist")
    assert "kmnist" not in (explain("dataset").choices or ())
    with pytest.raises(ConfigError, match=r"digits, mnist, fashion-mnist; it was 'kmnist'\."):
        RunConfig.from_settings({"dataset": "kmnist"})


@pytest.mark.parametrize("find", [find_dataset, stored_dataset, load_dataset])
def test_an_unknown_name_is_refused_with_the_known_ones(find) -> None:
    with pytest.raises(DataError, match=r"^There is no data set 'cats'\. Known: digits, mnist, "):
        find("cats")


@pytest.mark.parametrize("choice", ["cats", None, 3, ["digits"]])
def test_a_run_cannot_name_what_is_no_data_set(choice: object) -> None:
    for make in (lambda: RunConfig(choice), lambda: RunConfig.from_settings({"dataset": choice})):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="Data set must be one of digits, mnist, "):
            make()


def test_every_name_is_its_own_key() -> None:
    assert all(name == info.name for name, info in known_datasets().items())


def test_looking_a_data_set_up_loads_neither_torch_nor_pictures() -> None:
    program = (
        "import sys, json\n"
        "from vae_core.settings.data_sets import find_dataset\n"
        "shape = find_dataset('mnist').image_shape\n"
        "print(json.dumps([shape, [m for m in ('torch', 'PIL', 'sklearn') if m in sys.modules]]))"
    )
    root = Path(__file__).resolve().parents[3]
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout) == [[1, 28, 28], []]
