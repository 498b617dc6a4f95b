"""Images of one's own, of any size and kind, go from files to a verdict by commands alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.vae_core.data.own_sources import encoded, use_folder, write_files
from vae_core.cli.main import main

pytestmark = pytest.mark.slow

Random = np.random.RandomState
SMALL = ["--hidden-size", "16", "--hidden-layers", "1", "--latent-size", "4", "--epochs", "2",
         "--importance-every", "0"]  # fmt: skip
COUNT = 60


def screws(random: Random) -> dict[str, bytes]:
    """Grey pictures of 28×20 pixels: a lit rod on an uneven ground, in one folder."""
    rows, columns = np.mgrid[:28, :20]
    files = {}
    for index in range(COUNT):
        slope, place = random.uniform(-0.2, 0.2), random.uniform(7, 13)
        rod = np.exp(-(((columns - place - slope * (rows - 14)) / random.uniform(2, 4)) ** 2))
        ground = 60 + 40 * random.uniform() + 2 * rows + random.normal(0, 4, rows.shape)
        files[f"{index}.png"] = encoded((ground + 100 * rod).clip(0, 255).astype(np.uint8))
    return files


def faces(random: Random) -> dict[str, bytes]:
    """Grey pictures of 64×64 pixels, shaded like photographs, in two folders."""
    rows, columns = (np.mgrid[:64, :64] - 32) / 32.0
    files = {}
    for index in range(COUNT):
        happy = index % 2
        head = np.exp(-((columns / 0.7) ** 4) - (rows / 0.9) ** 4)
        light = 0.5 + 0.3 * random.uniform(-1, 1) * columns + 0.1 * random.uniform(-1, 1)
        picture = 90 * head + 120 * light
        for side in (-0.3, 0.3):
            picture -= 70 * np.exp(-(((columns - side) ** 2 + (rows + 0.25) ** 2) / 0.01))
        curve = rows - 0.4 + (0.5 if happy else -0.5) * (columns**2 - 0.05)
        picture -= 60 * np.exp(-((curve / 0.06) ** 2)) * (abs(columns) < 0.4)
        picture += random.normal(0, 3, picture.shape)
        name = f"{'happy' if happy else 'sad'}/{index}.png"
        files[name] = encoded(picture.clip(0, 255).astype(np.uint8))
    return files


def characters(random: Random) -> dict[str, bytes]:
    """Black strokes on white, 105×105 pixels of one bit, in folders of folders."""
    files = {}
    for letter in range(6):
        strokes = [random.uniform(20, 85, (4, 2)) for _ in range(2)]
        for index in range(COUNT // 6):
            image = Image.new("1", (105, 105), 1)
            canvas = ImageDraw.Draw(image)
            for stroke in strokes:
                points = stroke + random.normal(0, 3, stroke.shape)
                canvas.line([(float(x), float(y)) for x, y in points], fill=0, width=3)
            name = f"alphabet{letter % 2}/character{letter}/{index}.png"
            files[name] = encoded(np.asarray(image))
    return files


@dataclass(frozen=True)
class Expected:
    """What a data set and a run on it are by themselves."""

    make: Callable[[Random], dict[str, bytes]]
    shape: list[int]
    classes: int
    likelihood: str
    binarisation: str
    augment: str
    invert: str = "no"


SHAPES = {
    "screws": Expected(screws, [1, 28, 20], 0, "discretised-logistic", "none", "flip"),
    "faces": Expected(faces, [1, 64, 64], 2, "discretised-logistic", "none", "flip"),
    "characters": Expected(characters, [1, 105, 105], 6, "bernoulli", "dynamic", "none", "yes"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHAPES)
def test_files_become_a_verdict_without_a_hand_on_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    def said(*command: str) -> Any:
        assert main([*command, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    about = SHAPES[name]
    use_folder(monkeypatch, tmp_path / "kept")
    files = about.make(Random(0))
    folder, run = write_files(tmp_path / name, files), str(tmp_path / "run")
    added = said("datasets", "add", name, str(folder))
    assert (added["image_shape"], len(added["classes"])) == (about.shape, about.classes)
    assert added["preparation"]["way"] == "photo"
    assert added["preparation"]["invert"] == about.invert
    figures = said("train", "--dataset", name, "--run", run, *SMALL)["evaluation"]
    assert (figures["images"], figures["split"]) == (6, "test")
    config = json.loads((Path(run) / "config.json").read_text())
    assert config["model"]["likelihood"] == about.likelihood
    assert config["train"]["binarisation"] == about.binarisation
    assert config["train"]["augment"] == about.augment
    assert said("calibrate", run, "--limit", "6")["images"] == 6
    image = folder / next(iter(files))
    (row,) = said("score", run, str(image), "--importance-samples", "20")["images"]
    assert row["ok"]
    assert row["sentence"]
    assert row["percentile"] is not None
