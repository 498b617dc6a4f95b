"""The reports of examples that come with a model are those that would be made anew."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from tests.vae_core.handmade import change_weights
from vae_core.basics.progress import result_of
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import model_input
from vae_core.model.vae import VAE
from vae_core.runs.kept_examples import examples_of, renew_examples, write_examples
from vae_core.runs.records import write_calibration
from vae_core.runs.run import EXAMPLES_FILE, Run
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.examples import EXAMPLES, example_images
from vae_core.scoring.judge import Judge
from vae_core.scoring.report import report_steps
from vae_core.settings.options import ScoreOptions

K = ScoreOptions().importance_samples


@pytest.fixture(scope="module")
def kept(
    finished: Run, finished_model: VAE, calibration: Calibration, digits: Dataset, tmp_path_factory
) -> Run:
    """A copy of the finished run with its examples. Do not change it."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns(EXAMPLES_FILE))
    write_calibration(calibration, folder)
    run = Run.open(folder)
    write_examples(run, finished_model, digits, calibration)
    return run


@pytest.fixture
def run(kept: Run, tmp_path: Path) -> Run:
    shutil.copytree(kept.folder, tmp_path / "copy")
    return Run.open(tmp_path / "copy")


def pixels(digits: Dataset) -> list[torch.Tensor]:
    return [made for _, made in example_images(digits.split("test")[0])]


def test_each_report_is_the_one_that_is_made_anew(kept, finished_model, calibration, digits):
    examples, judge = examples_of(kept), Judge.of(calibration, "dynamic")
    assert examples is not None
    assert len(examples.reports) == len(EXAMPLES)
    for each in pixels(digits):
        found = examples.report(finished_model, each, judge, K, 0)
        assert found is not None
        report, course, x = found
        assert torch.equal(x, model_input(each, "dynamic", 0))
        ((anew, course_anew),) = result_of(report_steps(finished_model, x, K, judge))
        assert report.score.log_px == pytest.approx(anew.score.log_px, abs=1e-3)
        assert report.score.trusted == anew.score.trusted
        assert report.verdict == anew.verdict
        assert report.judgement.p_value == anew.judgement.p_value  # type: ignore[union-attr]
        assert report.neighbours == anew.neighbours
        assert report.values == pytest.approx(anew.values, rel=1e-3, abs=1e-3)
        assert report.errors == pytest.approx(anew.errors, rel=1e-2, abs=1e-3)
        assert report.score.place.percentile == anew.score.place.percentile  # type: ignore[union-attr]
        assert course.samples == course_anew.samples
        assert course.log_px == pytest.approx(course_anew.log_px, abs=1e-3, nan_ok=True)


def test_nothing_is_scored_to_show_one(kept, finished_model, calibration, digits, monkeypatch):
    from vae_core.scoring import context

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an image was scored")

    for name in ("refine", "log_density", "log_density_steps", "likelihood_regret"):
        monkeypatch.setattr(context, name, never)
    examples = examples_of(kept)
    assert examples is not None
    judge = Judge.of(calibration, "dynamic")
    assert all(examples.report(finished_model, each, judge, K, 0) for each in pixels(digits))


def test_another_protocol_or_image_has_none(kept, finished_model, calibration, digits):
    examples, judge = examples_of(kept), Judge.of(calibration, "dynamic")
    assert examples is not None
    first = pixels(digits)[0]
    assert examples.report(finished_model, first, judge, K, 0) is not None
    assert examples.report(finished_model, first, judge, 2 * K, 0) is None
    assert examples.report(finished_model, first, judge, K, 1) is None
    assert examples.report(finished_model, 255 - first // 2, judge, K, 0) is None
    assert examples.report(finished_model, first, Judge("dynamic"), K, 0) is None
    protocol = {**calibration.protocol, "images": 7}
    other = Calibration(calibration.held_out, calibration.latents, calibration.classifier, protocol)
    assert examples.report(finished_model, first, Judge.of(other, "dynamic"), K, 0) is None


def test_the_verdict_follows_the_rate(kept, finished_model, calibration, digits):
    examples = examples_of(kept)
    assert examples is not None
    strict = Judge.of(calibration, "dynamic", 0.2)
    found = examples.report(finished_model, pixels(digits)[0], strict, K, 0)
    assert found is not None
    assert found[0].judgement is not None
    assert found[0].judgement.false_alarms == 0.2


def test_those_of_other_weights_are_none(run):
    assert examples_of(run) is not None
    change_weights(run.folder / "model.safetensors")
    assert examples_of(run) is None


def test_they_are_renewed_where_they_are(run, finished_model, calibration, digits):
    path = run.folder / EXAMPLES_FILE
    path.write_bytes(b"old")
    renew_examples(run, finished_model, digits, calibration)
    assert examples_of(run) is not None
    path.unlink()
    renew_examples(run, finished_model, digits, calibration)
    assert not path.exists()


def rewritten(run: Run, about: dict[str, object], **tensors: torch.Tensor | None) -> None:
    path = run.folder / EXAMPLES_FILE
    with safe_open(path, framework="pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        said = json.loads(file.metadata()["about"])
    kept = {name: tensor for name, tensor in {**found, **tensors}.items() if tensor is not None}
    path.write_bytes(save(kept, {"about": json.dumps({**said, **about})}))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"columns": ["log_px"]},
        {"images": ["one"]},
        {"images": 3},
        {"stops": "all"},
        {"importance_samples": None},
        {"calibration": "none"},
        {"importance_samples": math.inf},
        {"importance_samples": -1, "stops": [-1]},
        {"stops": []},
        {"stops": [1, K, K]},
        {"stops": [-5, K]},
        {"stops": [math.inf]},
        {"stops": [10, 20]},
    ],
)
def test_a_file_that_says_other_things_is_none(run, change):
    rewritten(run, change)
    assert examples_of(run) is None


@pytest.mark.parametrize(
    ("head", "accuracy"),
    [
        (torch.full((7, 1000), 0.001), torch.tensor([0.9])),
        (torch.zeros(7, 0), torch.tensor([0.9])),
        (torch.full((7, 10), math.nan), torch.tensor([0.9])),
        (torch.full((7, 10), 0.1), torch.tensor([0.9, 0.9])),
        (torch.full((7, 10), 0.1), torch.tensor([7.0])),
        (None, None),
    ],
)
def test_classes_that_do_not_fit_the_model_are_none(run, head, accuracy):
    """Here the model is said to have a class head."""
    errors = None if head is None else head / 10
    rewritten(run, {}, head=head, head_se=errors, accuracy=accuracy)
    assert examples_of(run) is not None, "a model without a head has no use for them"
    object.__setattr__(run.config.model, "class_head", "linear")
    assert examples_of(run) is None


def test_classes_that_fit_are_read(run):
    share = torch.full((7, 10), 0.1)
    rewritten(run, {}, head=share, head_se=share / 10, accuracy=torch.tensor([0.9]))
    object.__setattr__(run.config.model, "class_head", "linear")
    found = examples_of(run)
    assert found is not None
    heads = [each.head for each in found.reports.values()]
    assert all(head is not None and len(head.probabilities) == 10 for head in heads)


def test_a_file_that_is_nested_too_deeply_is_none(run):
    path = run.folder / EXAMPLES_FILE
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path.write_bytes(save(tensors, {"about": "[" * 100_000 + "]" * 100_000}))
    assert examples_of(run) is None


def test_a_damaged_file_is_none(run):
    path = run.folder / EXAMPLES_FILE
    content = path.read_bytes()
    rewritten(run, {}, numbers=torch.zeros(2, 3))
    assert examples_of(run) is None
    path.write_bytes(content)
    rewritten(run, {}, course=None)
    assert examples_of(run) is None
    for damaged in (b"", content[:200], b"\xff" * 400):
        path.write_bytes(damaged)
        assert examples_of(run) is None
    path.unlink()
    path.mkdir()
    assert examples_of(run) is None
