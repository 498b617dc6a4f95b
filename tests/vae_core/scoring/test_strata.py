"""Verdicts that are as strict for an easy kind of images as for a hard one."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from scipy.stats import betabinom

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.progress import result_of
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.records import (
    CALIBRATION_FILE,
    calibrate_steps,
    calibration_of,
    write_calibration,
)
from vae_core.runs.run import Run, RunError
from vae_core.scoring import calibration
from vae_core.scoring.calibration import (
    Calibration,
    Measured,
    calibration_steps,
    held_out_images,
)
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.strata import FEWEST_OF_A_STRATUM, Strata
from vae_core.scoring.typicality import Reference
from vae_core.settings.data_sets import Split
from vae_core.settings.protocol import EPOCH_IMAGES


def drawn(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Figures of images of an easy and a hard kind, and their strata, 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    hard = torch.rand(count, generator=generator) < 0.5
    figures = torch.randn(count, len(FIGURES), generator=generator, dtype=torch.float64)
    return torch.where(hard[:, None], 3 + 2 * figures, figures), hard.long()


def test_figures_are_measured_from_the_median_of_their_stratum_in_its_spreads():
    figures, of_images = drawn(4000, 0)
    strata = Strata.fitted(figures, of_images, 2)
    compared = strata.compare(figures, of_images)
    for index in (0, 1):
        quantiles = compared[of_images == index].quantile(
            torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), 0
        )
        for quantile, expected in zip(quantiles, (-1.0, 0.0, 1.0), strict=True):
            torch.testing.assert_close(
                quantile, torch.full_like(quantile, expected), rtol=0, atol=0.01
            )


def test_the_order_within_a_stratum_stays():
    figures, of_images = drawn(500, 1)
    strata = Strata.fitted(figures, of_images, 2)
    inside = of_images == 1
    compared = strata.compare(figures, of_images)[inside]
    assert torch.equal(compared.argsort(0), figures[inside].argsort(0))


def test_a_stratum_of_few_images_has_the_usual_values_of_all():
    figures, _ = drawn(400, 2)
    of_images = torch.zeros(400, dtype=torch.int64)
    of_images[: FEWEST_OF_A_STRATUM - 1] = 1
    strata = Strata.fitted(figures, of_images, 2)
    torch.testing.assert_close(strata.median[1], figures.nanquantile(0.5, dim=0))
    of_images[: FEWEST_OF_A_STRATUM + 1] = 1
    strata = Strata.fitted(figures, of_images, 2)
    torch.testing.assert_close(
        strata.median[1], figures[: FEWEST_OF_A_STRATUM + 1].quantile(0.5, dim=0)
    )


def test_a_constant_figure_and_one_that_is_not_a_number_are_no_obstacle():
    figures, of_images = drawn(200, 3)
    figures[:, 0], figures[:, 1], figures[3, 2] = 7.0, torch.nan, torch.nan
    strata = Strata.fitted(figures, of_images, 2)
    assert all(part.isfinite().all() for part in (strata.median, strata.below, strata.above))
    compared = strata.compare(figures, of_images)
    assert (compared[:, 0] == 0).all()
    assert compared[:, 1].isnan().all()


def test_each_kind_is_called_unlike_the_data_as_often_as_the_rate_says():
    """Plainly, nearly all false alarms are of the hard kind."""
    rate, held_out, new = 0.04, 4000, 4000
    strata = Strata.fitted(*drawn(2000, 4), 2)
    reference, of_reference = drawn(held_out, 5)
    images, of_images = drawn(new, 6)
    hard = of_images == 1
    plain = Reference(reference).p_values(images) <= rate
    assert plain[hard].sum() > 5 * plain[~hard].sum()
    compared = strata.compare(reference, of_reference)
    found = Reference(compared).p_values(strata.compare(images, of_images)) <= rate
    level = int(rate * (held_out + 1))
    for inside in (hard, ~hard):
        low, high = betabinom.ppf([1e-4, 1 - 1e-4], int(inside.sum()), level, held_out + 1 - level)
        assert low <= int(found[inside].sum()) <= high


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.04, 0.1])
def test_over_all_images_the_rate_holds_whatever_the_strata(rate):
    """Also with strata of 30 training images: those only choose what is compared."""
    called = []
    for seed in range(300):
        strata = Strata.fitted(*drawn(60, 10_000 + seed), 2)
        reference, new = (
            strata.compare(*each) for each in (drawn(100, seed), drawn(10, 20_000 + seed))
        )
        called += (Reference(reference).p_values(new) <= rate).tolist()
    assert 0.5 * rate < sum(called) / len(called) < rate + 3 * (rate * (1 - rate) / 300) ** 0.5


# ---- in a calibration


@pytest.fixture(scope="module")
def stratified(finished: Run, finished_model: VAE, digits: Dataset) -> Calibration:
    """The calibration of the finished run, with strata although it has 200 images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "HELD_OUT_OF_A_STRATUM", 20)
        return result_of(calibrate_steps(finished, finished_model, digits))


def test_with_few_held_out_images_there_are_none(
    finished: Run, finished_model: VAE, digits: Dataset
):
    found = result_of(calibrate_steps(finished, finished_model, digits))
    assert found.images == 200
    assert found.strata is None


def test_strata_are_classes_where_there_are_classes(stratified: Calibration):
    assert stratified.strata is not None
    assert len(stratified.strata) == 10
    assert stratified.protocol["strata"] == 10
    assert stratified.protocol["training_images_of_strata"] == 500
    assert stratified.protocol["strata_by"] == "latents"
    assert stratified.held_out.strata.unique().tolist() == list(range(10))


@pytest.mark.slow
@pytest.mark.parametrize("labels", ["none", "mixed"])
def test_there_are_none_where_latents_do_not_tell_the_classes_apart(
    finished_model: VAE, digits: Dataset, labels: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calibration, "HELD_OUT_OF_A_STRATUM", 0)
    mixed = digits.labels[torch.randperm(len(digits.labels), generator=torch.Generator())]
    given = torch.full_like(mixed, -1) if labels == "none" else mixed
    other = dataclasses.replace(digits, labels=given)
    found = result_of(calibration_steps(finished_model, other, "dynamic", images=100))
    assert found.strata is None
    assert found.protocol["strata"] == 1
    assert found.protocol["training_images_of_strata"] == 0


def test_an_image_is_judged_in_its_stratum(stratified: Calibration, finished_model: VAE, digits):
    x = digits.split("test")[0][:6].float().div(255).round()
    found = stratified.measure(finished_model, x)
    assert stratified.strata is not None
    judged = stratified.judge(found)
    compared = stratified.strata.compare(found.table, found.strata)
    for index, judgement in enumerate(judged):
        assert list(judgement.values.values()) == found.table[index].tolist()
        assert list(judgement.compared.values()) == compared[index].tolist()
    plain = Reference(stratified.held_out.table)
    for judgement, row in zip(judged, plain.judge(found.table), strict=True):
        assert judgement.percentiles == row.percentiles
    assert [each.tails for each in judged] != [each.tails for each in plain.judge(found.table)]


def test_without_strata_the_figures_themselves_are_compared(stratified: Calibration):
    """So it is in a calibration of an earlier version."""
    former = dataclasses.replace(stratified, strata=None)
    table = stratified.held_out.table[:20]
    images = Measured(table, torch.zeros(20, dtype=torch.int64))
    assert torch.equal(
        former.p_values(images), Reference(stratified.held_out.table).p_values(table)
    )


def test_a_class_head_tells_the_stratum(
    finished_model: VAE, digits: Dataset, monkeypatch: pytest.MonkeyPatch
):
    """By its opinion at the posterior mean, also where it is wrong: here it is one class off."""
    monkeypatch.setattr(calibration, "HELD_OUT_OF_A_STRATUM", 20)
    monkeypatch.setattr(calibration, "CLASSES_ARE_STRATA", 0.0)
    plain = result_of(calibration_steps(finished_model, digits, "dynamic", importance_samples=50))
    weight, centre = plain.classifier.weight, plain.latents.centre
    whiten = torch.linalg.inv(plain.latents.scale_tril)
    model = VAE(dataclasses.replace(finished_model.config, class_head="linear"))
    model.load_state_dict(finished_model.state_dict(), strict=False)
    assert model.class_head is not None
    head = model.class_head[-1]
    head.weight.data = (weight @ whiten).roll(1, 0)
    head.bias.data = (plain.classifier.bias - weight @ whiten @ centre).roll(1, 0)
    found = result_of(calibration_steps(model, digits, "dynamic", importance_samples=50))
    assert found.protocol["strata_by"] == "class head"
    assert torch.equal(found.held_out.strata, (plain.held_out.strata + 1) % 10)
    x = digits.split("test")[0][:40].float().div(255).round()
    assert torch.equal(
        found.measure(model, x).strata, (plain.measure(finished_model, x).strata + 1) % 10
    )


def test_strata_by_a_class_head_need_a_model_with_one(stratified: Calibration, run: Run):
    other = dataclasses.replace(
        stratified, protocol={**stratified.protocol, "strata_by": "class head"}
    )
    write_calibration(other, run.folder)
    with pytest.raises(RunError, match="class head, which the model does not have"):
        calibration_of(run)


def test_there_are_none_where_most_classes_have_too_few_training_images(
    finished_model: VAE, digits: Dataset, monkeypatch: pytest.MonkeyPatch
):
    few: dict[Split, slice] = {**digits.splits, "validation": slice(1297, 1317)}
    monkeypatch.setattr(calibration, "HELD_OUT_OF_A_STRATUM", 0)
    found = result_of(
        calibration_steps(finished_model, dataclasses.replace(digits, splits=few), "dynamic")
    )
    assert found.images == 20
    assert found.strata is None, "20 training images of ten classes"


def test_no_image_at_all_is_refused(digits: Dataset):
    with pytest.raises(InvalidArgument, match="at least one image"):
        held_out_images(digits, "dynamic", 0, 0)


# ---- which images


def many(count: int) -> Dataset:
    """A data set with so many validation images, each of another grey."""
    images = torch.arange(count + 2).remainder(256).byte()[:, None, None, None].expand(-1, 1, 8, 8)
    splits: dict[Split, slice] = {
        "train": slice(0, 1),
        "validation": slice(1, count + 1),
        "test": slice(count + 1, None),
    }
    return Dataset("digits", images, torch.arange(count + 2), splits)


def test_images_that_chose_the_epoch_are_left_out():
    _, labels, are_apart = held_out_images(many(EPOCH_IMAGES + 600), "none", 0, 200)
    assert are_apart
    assert len(labels.unique()) == 200
    assert labels.min() > EPOCH_IMAGES  # the first validation image has the number 1
    assert labels.max() > EPOCH_IMAGES + 200, "not the first, but some by chance"


def test_where_too_few_others_exist_all_are_used_and_that_is_said():
    _, labels, are_apart = held_out_images(many(EPOCH_IMAGES + 400), "none", 0, 10**6)
    assert not are_apart
    assert len(labels) == EPOCH_IMAGES + 400


def test_no_training_image_is_its_own_neighbour(stratified: Calibration):
    latents = stratified.latents
    places = torch.tensor([3, 5])
    others = latents.without(places)
    assert len(others.points) == len(latents.points) - 2
    assert (others.distance(latents.points[places]) > 0.1).all()
    assert (latents.distance(latents.points[places]) < 0.01).all()


# ---- in a file


@pytest.fixture
def run(finished: Run, stratified: Calibration, tmp_path: Path) -> Run:
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    write_calibration(stratified, folder)
    return Run.open(folder)


def rewritten(run: Run, **changes: torch.Tensor | None) -> None:
    """Write the calibration of a run again with other tensors, or without some."""
    path = run.folder / CALIBRATION_FILE
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()["protocol"])
    named = {name.replace("__", "."): tensor for name, tensor in changes.items()}
    kept = {name: tensor for name, tensor in {**tensors, **named}.items() if tensor is not None}
    path.write_bytes(save(kept, {"protocol": json.dumps(about)}))


def test_a_file_without_strata_is_one_of_an_earlier_version(run: Run):
    names = ("median", "below", "above")
    rewritten(run, held_out__strata=None, **{f"strata__{name}": None for name in names})
    found = calibration_of(run)
    assert found is not None
    assert found.strata is None
    assert torch.equal(found.reference.figures, found.held_out.table)


@pytest.mark.parametrize(
    "damage",
    [
        {"strata__below": torch.zeros(10, 4, dtype=torch.float64)},
        {"strata__above": torch.full((10, 4), torch.nan, dtype=torch.float64)},
        {"strata__median": torch.zeros(9, 4, dtype=torch.float64)},
        {"held_out__strata": torch.full((200,), 10, dtype=torch.int16)},
        {"held_out__strata": torch.full((200,), -1, dtype=torch.int16)},
        {"strata__above": None},
    ],
)
def test_strata_that_do_not_fit_are_refused(run: Run, damage: dict[str, torch.Tensor | None]):
    rewritten(run, **damage)
    with pytest.raises(RunError, match="Make it again"):
        calibration_of(run)


def test_what_was_written_is_read_again(run: Run, stratified: Calibration):
    found = calibration_of(run)
    assert found is not None
    for name, value in vars(stratified.strata).items():
        assert torch.equal(getattr(found.strata, name), value), name
    assert torch.equal(found.held_out.strata, stratified.held_out.strata)
    assert torch.equal(found.reference.figures, stratified.reference.figures)
