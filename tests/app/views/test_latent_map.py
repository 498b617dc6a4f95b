"""The map of the Latent space page: regions, t-SNE, pictures at the pointer, class directions."""

import base64
import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.figures.pictures import as_picture
from app.services import embeddings, latent, models, thumbnails
from app.services.embeddings import METHODS
from app.services.latent import View
from app.views.latent import code, directions, region, region_figures
from tests.app.views.opening import opened
from vae_core.analysis import tsne
from vae_core.basics.progress import finish

PLANE, MANY = "digits-full-d2", "digits-mean-field-d16"
EVERYWHERE = "-99_-99_99_-99_99_99_-99_99"
ROOT = Path(__file__).resolve().parents[3]
LEFT = "-99_-99_0_-99_0_99_-99_99"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_CACHE_DIR", str(tmp_path / "cache"))


pytestmark = pytest.mark.usefixtures("idle_store")


def view(model: str = PLANE, split: Any = "test") -> View:
    return View(models.choices()[f"pretrained/{model}"], split)


def seen(model: str = PLANE, **query: str) -> AppTest:
    app = opened("latent", model=f"pretrained/{model}", **query)
    assert not app.error
    return app


def words(app: AppTest) -> str:
    return "\n".join(each.value for each in [*app.subheader, *app.caption])


# ---- a region


@pytest.mark.slow
def test_a_link_opens_the_images_of_a_region() -> None:
    around = latent.cloud(view())
    left = int((around.points[:, 0] < 0).sum())
    text = words(seen(region=LEFT))
    assert f"{left} images in the region" in text
    assert "L = 100 draws" in text
    assert "K = 5,000" in text, "log p(x) is known for the test images of this model"
    assert "in the region" not in words(seen())
    assert "No point of the map" in words(seen(region="50_50_51_50_51_51"))


@pytest.mark.slow
def test_of_many_images_some_are_shown_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "MOST", 20)
    assert "20 of the 300 images" in words(seen(region=EVERYWHERE))


def taken() -> None:
    import streamlit as st

    from app.services import models
    from app.services.latent import View
    from app.views.latent import region

    shown = View(models.choices()["pretrained/digits-full-d2"], "test")
    box = {"box": [{"x": [0, 1], "y": [0, 2]}], "points": [{"customdata": 3}]}
    answers = [region.take(shown, "", each) for each in ({"points": []}, box, box)]
    st.write(f"{answers} {st.query_params.get('region')}")
    st.write(region.of_address(shown, "") is not None)
    st.write(region.of_address(shown, "t-SNE") is not None)
    st.write("region" in st.query_params)


def test_a_region_belongs_to_its_map_and_a_click_inside_it_is_no_new_one() -> None:
    app = AppTest.from_function(taken).run()
    assert not app.exception
    first, *others = [each.value.strip("`") for each in app.markdown]
    assert first == "[False, True, False] 0_0_1_0_1_2_0_2"
    assert others == ["True", "False", "False"]


def test_the_figures_of_a_region_are_those_of_its_images_in_whatever_company() -> None:
    numbers = np.array([4, 250, 12])
    shown = view()
    measured = finish(region_figures.task(shown, numbers).start())
    alone = finish(region_figures.task(shown, numbers[1:2]).start())
    assert measured.elbo[1] == pytest.approx(alone.elbo[0], abs=1e-4)
    scores = latent.held_out(shown)
    assert scores is not None
    rows = list(csv.DictReader(io.StringIO(region.table(shown, numbers, numbers * 0, measured))))
    assert [row["image"] for row in rows] == ["4", "250", "12"]
    for row, number in zip(rows, numbers, strict=True):
        assert float(row["log p(x) (nats)"]) == pytest.approx(float(scores.log_px[number]))
        assert float(row["ELBO (nats)"]) < float(row["log p(x) (nats)"]) + 1
        assert float(row["KL (nats)"]) > 0
    assert {row["model"] for row in rows} == {f"pretrained/{PLANE}"}
    some = numbers[[2, 1]]  # those that are selected on the sheet
    chosen = list(csv.DictReader(io.StringIO(region.table(shown, some, some * 0, measured))))
    assert [row["ELBO (nats)"] for row in chosen] == [rows[i]["ELBO (nats)"] for i in (2, 1)]


def test_what_is_not_known_is_empty_in_the_table() -> None:
    shown = view(split="train")
    (row,) = csv.DictReader(io.StringIO(region.table(shown, np.array([3]), np.array([-1]), None)))
    assert (row["class"], row["log p(x) (nats)"], row["ELBO (nats)"]) == ("no class", "", "")
    assert region_figures.texts(shown, np.array([3]), None) == {3: ""}


def test_the_archive_holds_the_images_as_the_data_set_has_them() -> None:
    shown = view()
    with zipfile.ZipFile(io.BytesIO(region.archive(shown, np.array([7, 9])))) as archive:
        assert archive.namelist() == ["test-7.png", "test-9.png"]
        picture = np.asarray(Image.open(archive.open("test-9.png")))
    np.testing.assert_array_equal(picture, shown.data.split("test")[0][9, 0].numpy())


# ---- an embedding


@pytest.mark.slow
def test_tsne_is_computed_once_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    task = embeddings.task(view(MANY), "t-SNE")
    finish(task.start())
    monkeypatch.setattr(tsne, "tsne_steps", None)  # nothing may be computed again
    text = words(seen(MANY, projection="t-SNE", region=EVERYWHERE))
    assert "300 images in the region" in text
    assert "perplexity 30" in text
    assert "cannot be decoded" in text
    assert len(list(task.start())) == 1


@pytest.mark.slow
def test_the_code_of_tsne_maps_the_latents_that_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(code.lines("Map", view(MANY), more=METHODS["t-SNE"].code), names)
    # Kept latents are rounded to 0.01, which turns a map of t-SNE around: both steps apart.
    np.testing.assert_allclose(names["means"], latent.cloud(view(MANY)).means, atol=6e-3)
    np.testing.assert_array_equal(names["points"], tsne.embedding(names["means"]))


def test_only_spaces_of_more_than_two_dimensions_have_an_embedding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vae_core.analysis.umap.available", lambda: False)
    assert embeddings.offered(2) == []
    assert embeddings.offered(3) == ["t-SNE"]
    monkeypatch.setattr("vae_core.analysis.umap.available", lambda: True)
    assert embeddings.offered(3) == ["t-SNE", "UMAP"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x93NUMPY\x01\x00"], ids=repr)
def test_a_damaged_file_of_a_map_is_made_again(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "maps" / "a.npy"
    embeddings._write(file, np.ones((5, 2)))
    np.testing.assert_array_equal(embeddings._read(file, 5), np.ones((5, 2)))
    assert embeddings._read(file, 6) is None, "of other images"
    file.write_bytes(damage)
    assert embeddings._read(file, 5) is None
    file.unlink()
    assert embeddings._read(file, 5) is None


def test_the_folder_of_maps_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_MOST_FILES", 3)
    for name in "abcde":
        embeddings._write(tmp_path / "maps" / f"{name}.npy", np.ones((5, 2)))
    assert len(list((tmp_path / "maps").iterdir())) == 3
    assert (tmp_path / "maps" / "e.npy").exists()


# ---- pictures at the pointer


def test_every_image_has_its_place_on_the_atlas() -> None:
    shown, index = view(), np.array([5, 17, 250, 3, 44])
    atlas = thumbnails.atlas(shown, index)
    content = base64.b64decode(atlas.source.partition(",")[2])
    whole = np.asarray(Image.open(io.BytesIO(content)).convert("L")) / 255
    originals = as_picture(shown.data.split("test")[0].numpy()[index])
    for place, original in enumerate(originals):
        row, column = divmod(place, atlas.columns)
        top, left = row * atlas.height, column * atlas.width
        picture = whole[top : top + atlas.height, left : left + atlas.width]
        assert np.corrcoef(picture.ravel(), original.ravel())[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(28, 28), (96, 64, 3)])
def test_an_atlas_is_below_its_limit_for_whatever_images(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (500, *shape), np.uint8)  # the worst case
    images = levels.reshape(500, *shape[:2], -1).transpose(0, 3, 1, 2)
    fake = type("Data", (), {"split": lambda *_: (Tensor(images), None)})()
    monkeypatch.setattr(View, "data", property(lambda _: fake))
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 56_000)  # a tenth, for a tenth of the images
    atlas = thumbnails.atlas(view(split="validation"), np.arange(500 - len(shape)))
    assert len(atlas.source) < 100_000


class Tensor:
    """An array that looks like a tensor."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def numpy(self) -> np.ndarray:
        return self._values


# ---- class directions


def picked() -> None:
    import streamlit as st

    from app.services import models
    from app.services.latent import View
    from app.views.latent import directions

    view = View(models.choices()["pretrained/digits-mean-field-d16"], "test")
    found = directions.pick(view)
    st.session_state["found"] = found
    st.session_state["code"] = directions.code(view)


def test_the_address_chooses_the_classes_of_the_sliders() -> None:
    app = AppTest.from_function(picked)
    app.query_params["toward"] = ["7", "1"]
    app.query_params["away"] = "2"
    app.run()
    assert not app.exception
    first, second = app.session_state["found"]
    assert {first.name, second.name} == {"more like 7", "more like 1"}
    assert "σ from that of 2" in first.note
    seven = first if first.name.endswith("7") else second
    expected = directions.direction(view(MANY), 7, 2)
    np.testing.assert_allclose(seven.step, expected.step)
    assert seven.reach > expected.apart


def test_a_class_has_no_slider_away_from_itself() -> None:
    app = AppTest.from_function(picked)
    app.query_params["toward"] = "7"
    app.query_params["away"] = "7"
    app.run()
    assert not app.exception
    assert app.session_state["found"] == []
    assert "two different classes" in app.caption[0].value
    assert app.session_state["code"] is None


@pytest.mark.parametrize(("away", "other"), [("2", 2), ("all other classes", None)])
def test_the_code_moves_z_as_the_first_slider_does(
    away: str, other: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    app = AppTest.from_function(picked)
    app.query_params["toward"] = ["7", "1"]
    app.query_params["away"] = away
    app.run()
    names: dict[str, Any] = {}
    exec(code.lines("Decode", view(MANY), 9, more=app.session_state["code"]), names)
    expected = directions.direction(view(MANY), 7, other)
    np.testing.assert_allclose(names["towards"].step, expected.step, atol=6e-3)
    assert names["image"].shape == (1, 8, 8)


def test_images_without_classes_have_no_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "_classes", lambda _: {})
    app = AppTest.from_function(picked).run()
    assert not app.exception
    assert app.session_state["found"] == []
    assert not app.get("button_group")
