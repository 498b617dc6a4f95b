"""What the score page works with: its inputs, its job in slices, its table and its code."""

import contextlib
import io
import shlex
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.services import work
from app.services.models import Choice
from app.views.score import examples, export, inputs, ranking
from app.views.score.inputs import Given, Upload
from app.views.score.job import Job, Known, Reading, Scorer
from vae_core.cli.main import main as command_line
from vae_core.cli.rows import COLUMNS
from vae_core.data.datasets import load_dataset
from vae_core.data.prepare import PrepareOptions
from vae_core.runs.checkpoint import load_model
from vae_core.runs.execution import execute
from vae_core.runs.records import calibration_of
from vae_core.runs.run import Run
from vae_core.runs.store import create_run, find_run
from vae_core.scoring.examples import (
    DRAWN,
    EXAMPLES,
    STAND_INS,
    digits_stand_in,
    drawn_images,
    example_images,
)
from vae_core.scoring.judge import Judge
from vae_core.scoring.report import Report
from vae_core.scoring.typicality import verdict_of
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import find_dataset
from vae_core.settings.options import ScoreOptions
from vae_core.wording.verdict import report_sentence

SHAPE = (1, 8, 8)
AUTO = PrepareOptions()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on the digits."""
    settings = {"epochs": 4, "learning_rate": 5e-3, "batch_size": 64, "hidden_size": 64}
    run = create_run(tmp_path_factory.mktemp("runs") / "a run", RunConfig.from_settings(settings))
    assert execute(run) == "done"
    return run


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return load_dataset("digits").split("test")[0]


def picture(side: int = 8, ink: int = 255) -> bytes:
    """A light stroke on a dark ground."""
    image = Image.new("L", (side, side), 0)
    image.paste(ink, (side // 2 - 1, 1, side // 2 + 1, side - 1))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return out.getvalue()


def read(*files: tuple[str, bytes]) -> list[Given]:
    uploads = [Upload(str(i), name, data) for i, (name, data) in enumerate(files)]
    return list(inputs.read(uploads, SHAPE, AUTO, "digits"))


def scorer(run: Run, samples: int = 100) -> Scorer:
    calibration = calibration_of(run)
    assert calibration is not None
    judge = Judge.of(calibration, "dynamic")
    return Scorer(("calibrated", samples), load_model(run.folder), judge, samples)


def uncalibrated(run: Run) -> Scorer:
    return Scorer("bare", load_model(run.folder), Judge(), 100)


def job_on(given: list[Given], by: Scorer, known: Known | None = None) -> Job:
    return Job(Reading("source", given, AUTO), by, known or Known())


@pytest.mark.parametrize("name", ["digits-mean-field-d16", "mnist-mean-field-d50"])
def test_examples_of_a_model_that_comes_with_them_are_not_scored(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MNIST may be missing: then its stand-ins are the examples."""
    choice = chosen(find_run(f"pretrained/{name}"))
    is_digits = choice.run.config.dataset == "digits"
    images = load_dataset("digits").split("test")[0]
    given = list(examples.examples(images) if is_digits else examples.stand_ins(choice))
    by = Scorer.of(choice, ScoreOptions().importance_samples, "dynamic")
    monkeypatch.setattr(Scorer, "steps", None)  # any score would fail
    job = job_on(given, by)
    job.advance(60)
    assert job.done
    assert len(job.ranked()) == len(given)
    assert all(scored.report.verdict for _, scored in job.ranked())


@pytest.mark.slow
def test_a_frozen_job_stays_as_it_was_while_the_job_goes_on(run: Run, images: torch.Tensor) -> None:
    job = job_on(list(examples.examples(images)), uncalibrated(run))
    while not job.scored():
        job.advance(0)
    frozen = job.frozen()
    before, read = len(frozen.scored()), len(frozen.readable)
    job.advance(600)
    assert job.done
    assert len(job.scored()) > before
    assert (len(frozen.scored()), len(frozen.readable)) == (before, read)
    assert frozen.working


@pytest.mark.slow
def test_verdicts_follow_the_false_alarm_rate_and_nothing_is_scored_again(
    run: Run, images: torch.Tensor
) -> None:
    job = job_on(list(examples.examples(images)), scorer(run))
    job.advance(600)
    strict, lax = (job.frozen(rate).scored() for rate in (0.01, 0.2))
    for (given, one), (_, other) in zip(strict, lax, strict=True):
        assert one.score is other.score
        assert one.report.judgement is not None
        p_value = one.report.judgement.p_value
        assert one.report.verdict == verdict_of(p_value, 0.01), given.label
        assert other.report.verdict == verdict_of(p_value, 0.2), given.label
    assert [each.report.verdict for _, each in strict] != [each.report.verdict for _, each in lax]
    table = export.columns(job.frozen(0.2), {})
    assert set(table["false_alarms"]) == {"0.2"}
    code = lines_of(run, job.frozen(0.01), lax[0][0])
    assert 'Judge("dynamic", calibration_of(run), 0.01)' in code
    assert report_of(code).verdict == strict[0][1].report.verdict


# ---- inputs


def test_files_and_what_is_in_archives_become_pixels_and_bad_ones_a_reason() -> None:
    inside = archive({"b.png": picture(), "notes.txt": b"no image", "__MACOSX/._b.png": b"x"})
    given = read(("a.png", picture()), ("set.zip", inside), ("broken.png", picture()[:50]))
    assert [g.label for g in given] == ["a.png", "set.zip/b.png", "set.zip/notes.txt", "broken.png"]
    assert [g.pixels is not None for g in given] == [True, True, False, False]
    assert given[0].pixels is not None
    assert given[0].pixels.shape == SHAPE
    assert given[0].pixels.dtype == torch.uint8
    assert "notes.txt" in given[2].error
    assert "broken.png" in given[3].error


def film(form: str = "GIF") -> bytes:
    """Three frames of a stroke, which grows."""
    frames = [Image.open(io.BytesIO(picture(side))).resize((20, 20)) for side in (20, 30, 40)]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:])
    return out.getvalue()


def test_every_frame_of_a_film_is_an_image_where_that_is_asked_for() -> None:
    packed = archive({"b.tif": film("TIFF"), "c.png": picture()})
    uploads = [Upload("0", "a.gif", film()), Upload("1", "set.zip", packed)]
    assert [each.has_frames for each in uploads] == [True, False]
    options, frames = inputs.ways_of({"crop": "no", "frames": "all"})
    first = list(inputs.read(uploads, SHAPE, options, "digits"))
    assert [each.label for each in first] == ["a.gif", "set.zip/b.tif", "set.zip/c.png"]
    given = list(inputs.read(uploads, SHAPE, options, "digits", first, frames))
    assert [each.label for each in given] == [
        *(f"a.gif[{i}]" for i in range(3)), *(f"set.zip/b.tif[{i}]" for i in range(3)),
        "set.zip/c.png",
    ]  # fmt: skip
    assert given[-1].pixels is first[-1].pixels, "what is no film is not read again"
    for each in given:
        assert each.place is not None
        assert each.pixels is not None
        again = inputs.prepared_again(uploads, each.place, SHAPE, options, "digits", frames)
        assert torch.equal(again.pixels, each.pixels)
    reading = Reading("source", given, options, uploads, frames)
    list(reading.steps())
    job = Job(reading, Scorer("none", None, Judge(), 1), Known())  # type: ignore[arg-type]
    saved = export.files(job, {"a.gif[1]", "set.zip/c.png"})
    with zipfile.ZipFile(io.BytesIO(saved)) as made:
        assert made.namelist() == ["a.gif[1].png", "set.zip/c.png"]


def test_a_name_that_is_taken_is_not_given_again() -> None:
    given = read(("a.png", picture()), ("a.png", picture()), ("a.png (2)", picture()))
    assert len({each.label for each in given}) == 3


def test_files_of_one_name_stay_apart() -> None:
    given = read(("a.png", picture()), ("a.png", picture(ink=128)))
    assert [g.label for g in given] == ["a.png", "a.png (2)"]
    assert given[0].digest != given[1].digest


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and nothing more", archive({})])
def test_an_archive_that_holds_nothing_is_named(content: bytes) -> None:
    (given,) = read(("a.zip", content))
    assert given.pixels is None
    assert "a.zip" in given.error


@pytest.mark.slow
def test_more_files_than_the_page_takes_end_with_a_sentence() -> None:
    many = archive({f"{i}.png": b"no image" for i in range(inputs.MAX_IMAGES)})
    given = read(("many.zip", many), ("one more.png", picture()))
    assert len(given) == inputs.MAX_IMAGES + 1
    assert "command line" in given[-1].error


def test_every_step_can_be_had_again_for_any_place() -> None:
    uploads = [
        Upload("0", "a.png", picture()),
        Upload("1", "b.zip", archive({"c.png": picture(40)})),
    ]
    for given in inputs.read(uploads, SHAPE, AUTO, "digits"):
        assert given.place is not None
        again = inputs.prepared_again(uploads, given.place, SHAPE, AUTO, "digits")
        assert given.pixels is not None
        assert torch.equal(again.pixels, given.pixels)
        assert again.steps


def test_without_the_data_other_digits_are_the_examples() -> None:
    choice = chosen(find_run("pretrained/mnist-full-d2"))
    assert digits_stand_in(choice.run.config.info)
    assert not digits_stand_in(find_dataset("fashion-mnist"))
    given = list(examples.stand_ins(choice))
    assert len({each.digest for each in given}) == len(EXAMPLES)
    assert all(each.pixels is not None and each.pixels.shape == (1, 28, 28) for each in given)
    assert [each.label for each in given] == [each.label for each in STAND_INS]


def chosen(run: Run) -> Choice:
    return Choice(run.id, run, "its weights")


@pytest.mark.slow
def test_where_digits_are_no_examples_the_model_draws_them_and_the_code_does_so_again(
    run: Run,
) -> None:
    given = [Given(*each) for each in example_images(drawn_images(load_model(run.folder)), DRAWN)]
    assert [each.label for each in given] == [each.label for each in DRAWN]
    assert len({each.digest for each in given}) == len(DRAWN)
    job = job_on(given[:3], scorer(run))
    job.advance(60)
    for each, scored in job.ranked():
        assert_same(report_of(lines_of(run, job, each)), scored.report)


def test_examples_are_of_the_data_sets_shape_and_differ(images: torch.Tensor) -> None:
    given = list(examples.examples(images))
    assert len({g.digest for g in given}) == len(EXAMPLES)
    assert all(g.pixels is not None and g.pixels.shape == SHAPE for g in given)
    assert sorted(given[0].pixels.flatten()) == sorted(  # type: ignore[union-attr]
        next(g for g in given if g.label == "Shuffled pixels").pixels.flatten()  # type: ignore[union-attr]
    )


# ---- the job


@pytest.mark.slow
def test_a_job_scores_everything_it_can_and_ranks_it(run: Run, images: torch.Tensor) -> None:
    given = [*examples.examples(images), Given("bad", error="bad cannot be read.")]
    job = job_on(given, scorer(run))
    job.advance(60)
    assert job.done
    assert not job.working
    assert [g.label for g in job.failed] == ["bad"]
    ranked = job.ranked()
    assert len(ranked) == len(EXAMPLES)
    judged = [scored.report.judgement for _, scored in ranked]
    p_values = [each.p_value for each in judged if each is not None]
    assert p_values == sorted(p_values)
    assert ranked[0][0].label in ("Noise", "Inverted", "Shuffled pixels")
    assert ranked[-1][0].label.startswith("Test image")
    assert all(scored.score.place is not None for _, scored in ranked)


@pytest.mark.slow
def test_a_slice_is_short_and_what_was_done_is_kept(run: Run, images: torch.Tensor) -> None:
    job = job_on(list(examples.examples(images)), scorer(run, 1_000_000))
    start = time.monotonic()
    job.advance(0.2)
    assert time.monotonic() - start < 5, "a slice is a small part of a million samples"
    assert job.working
    assert job.phase == "Scoring"
    before = job.share
    job.advance(0.2)
    assert 0 < before < job.share < 1


@pytest.mark.slow
def test_the_first_steps_do_not_say_how_long_the_rest_takes(
    run: Run, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_on(list(examples.examples(images)), scorer(run, 1_000_000))
    now = 100.0
    monkeypatch.setattr(work.time, "monotonic", lambda: now)
    while job.share == 0:
        job.advance(0)
    for seconds in (1.0, 1.0, 1.5):
        assert job.seconds_left is None
        now += seconds
        job.advance(0)
    assert job.share < 0.05
    assert job.seconds_left == pytest.approx(3.5 * (1 - job.share) / job.share)


@pytest.mark.slow
def test_a_stopped_job_keeps_its_scores_and_can_go_on(run: Run, images: torch.Tensor) -> None:
    job = job_on(list(examples.examples(images)), scorer(run))
    while not job.ranked():
        job.advance(0)
    job.stop()
    done = len(job.ranked())
    job.advance(60)
    assert not job.done
    assert len(job.ranked()) == done
    job.go_on()
    job.advance(60)
    assert job.done
    assert len(job.ranked()) == len(EXAMPLES)


@pytest.mark.slow
def test_nothing_is_scored_twice(run: Run, images: torch.Tensor) -> None:
    known, by = Known(), scorer(run)
    first = job_on(list(examples.examples(images)), by, known)
    first.advance(60)
    again = job_on(list(examples.examples(images)), by, known)
    again.advance(60)
    pairs = zip(first.ranked(), again.ranked(), strict=True)
    assert all(a[1] is b[1] for a, b in pairs)
    other = job_on(list(examples.examples(images)), scorer(run, 200), known)
    other.advance(60)
    assert other.ranked()[0][1].score.importance_samples == 200


def test_what_is_remembered_is_bounded() -> None:
    known = Known()
    for i in range(6000):
        known.put(i, object())  # type: ignore[arg-type]
    assert known.get(0) is None
    assert known.get(5999) is not None


@pytest.mark.slow
def test_a_job_without_images_is_done(run: Run) -> None:
    job = job_on([], scorer(run))
    job.advance(1)
    assert job.done
    assert job.ranked() == []
    assert job.share == 0


# ---- to take away


@pytest.mark.slow
def test_the_table_holds_scores_failures_and_protocol(run: Run, images: torch.Tensor) -> None:
    given = [*examples.examples(images), Given("bad", error="bad cannot be read.")]
    job = job_on(given, scorer(run))
    job.advance(60)
    how = export.protocol("a run", "digits", "dynamic", AUTO)
    table = export.columns(job, how)
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    assert [row["file"] for row in rows] == [g.label for g, _ in job.ranked()] + ["bad"]
    assert rows[-1]["error"] == "bad cannot be read."
    assert (rows[-1]["ok"], rows[-1]["log_px"]) == ("False", "")
    best = job.ranked()[0][1].score
    assert float(rows[0]["log_px"]) == best.log_px
    assert float(rows[0]["percentile"]) == best.percentile
    assert float(rows[0]["regret_nats"]) == job.ranked()[0][1].report.regret
    assert {"file", "ok", "error", *COLUMNS, "importance_samples"} <= set(table)
    assert all(row["binarisation"] == "dynamic" and row["invert"] == "auto" for row in rows)


@pytest.mark.slow
def test_a_calibrated_table_says_what_decided(run: Run, images: torch.Tensor) -> None:
    job = job_on(list(examples.examples(images)), scorer(run))
    job.advance(60)
    table = export.columns(job, {})
    reports = [scored.report for _, scored in job.ranked()]
    assert table["verdict"] == [report.verdict for report in reports]
    assert table["decided_by"] == [r.judgement.decided_by for r in reports if r.judgement]
    assert table["class"] == [str(r.classes.best) for r in reports if r.classes]
    assert all(len(labels.split()) == 5 for labels in table["nearest_labels"])
    assert all(len(chances.split()) == 10 for chances in table["class_probabilities"])
    assert table["sentence"] == [report_sentence(report) for report in reports]


@pytest.mark.slow
def test_a_table_of_chosen_images_has_no_others(run: Run, images: torch.Tensor) -> None:
    given = [*examples.examples(images), Given("bad", error="bad cannot be read.")]
    job = job_on(given, scorer(run))
    job.advance(60)
    assert export.columns(job, {}, {"Blank", "Noise"})["file"] == [
        given.label for given, _ in job.ranked() if given.label in ("Blank", "Noise")
    ]


def test_chosen_images_are_saved_as_they_were_given(images: torch.Tensor) -> None:
    inside = archive({"b.png": picture(), "../b.png": picture(ink=100), "c.png": picture()})
    uploads = (
        Upload("0", "a.png", picture(40)),
        Upload("1", "set.zip", inside),
        Upload("2", "your drawing", picture(20)),
    )
    read = list(inputs.read(uploads, SHAPE, AUTO, "digits"))
    reading = Reading("source", [*read, *examples.examples(images[:2])], AUTO, uploads)
    list(reading.steps())
    job = Job(reading, Scorer("none", None, Judge(), 1), Known())  # type: ignore[arg-type]
    labels = {each.label for each in reading.given} - {"set.zip/c.png"}
    with zipfile.ZipFile(io.BytesIO(export.files(job, labels))) as made:
        content = {name: made.read(name) for name in made.namelist()}
    assert content["a.png"] == picture(40)
    assert content["set.zip/b.png"] == picture()
    assert content["your drawing.png"] == picture(20)
    assert "set.zip/c.png" not in content
    assert not any(".." in name.split("/") for name in content)
    with Image.open(io.BytesIO(content["Test image 0.png"])) as example:
        assert np.array_equal(np.asarray(example), images[0, 0].numpy())


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["a.png", "set.zip/b.png"], ["a.png", "b.png"]),
        (["z.zip/cat/1.jpg", "z.zip/dog/1.jpg", "2.jpg"], ["cat/1.jpg", "dog/1.jpg", "2.jpg"]),
        (["x/cat/1.jpg", "y/cat/1.jpg"], ["x/cat/1.jpg", "y/cat/1.jpg"]),
        ([], []),
    ],
)
def test_names_are_as_short_as_they_differ(labels: list[str], shown: list[str]) -> None:
    assert ranking.names(labels) == shown


@pytest.mark.slow
def test_a_table_of_failures_alone_has_them(run: Run) -> None:
    job = job_on([Given("bad", error="no")], scorer(run))
    job.advance(1)
    assert export.columns(job, {})["error"] == ["no"]


def lines_of(run: Run, job: Job, given: Given, options: PrepareOptions = AUTO) -> str:
    by = job.scorer
    return export.code(
        run.folder, "digits", by.binarisation, by.importance_samples, by, given, options
    )


def report_of(lines: str) -> Report:
    """The report that the shown lines end with, once they have run."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(lines, "shown", "exec"), names)
    assert printed.getvalue() == f"{names['report']}\n"
    return names["report"]


def assert_same(one: Report, other: Report) -> None:
    """Alike to 1e-5 nats: images that are scored together change each other's rounding."""
    a, b = one.score, other.score
    assert a.log_px == pytest.approx(b.log_px, abs=1e-5)
    assert a.se == pytest.approx(b.se, abs=1e-5, nan_ok=True)
    assert a.percentile == b.percentile
    assert a.importance_samples == b.importance_samples
    assert one.regret == pytest.approx(other.regret, abs=1e-4)
    assert report_sentence(one) == report_sentence(other)


@pytest.mark.slow
@pytest.mark.parametrize("by", [scorer, uncalibrated])
def test_the_code_of_every_example_gives_its_report(
    run: Run, images: torch.Tensor, by: Callable[[Run], Scorer]
) -> None:
    job = job_on(list(examples.examples(images)), by(run))
    job.advance(60)
    for given, scored in job.ranked():
        assert_same(report_of(lines_of(run, job, given)), scored.report)


@pytest.mark.slow
def test_the_code_and_the_command_of_a_file_give_its_score(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my photo.png").write_bytes(picture(40))
    options = PrepareOptions(invert="yes", crop="no")
    upload = Upload("0", "my photo.png", picture(40))
    given = list(inputs.read([upload], SHAPE, options, "digits"))
    job = job_on(given, scorer(run))
    job.advance(60)
    ((_, scored),) = job.ranked()
    lines = lines_of(run, job, given[0], options)
    assert_same(report_of(lines), scored.report)

    command = shlex.split(lines.splitlines()[-1].removeprefix("# "))
    assert command[:3] == ["python", "-m", "vae_core"]
    assert command_line(command[3:]) == 0
    assert f"log p(x) = {scored.score.log_px:.2f}" in capsys.readouterr().out


@pytest.mark.slow
def test_the_code_and_the_command_of_a_frame_give_its_score(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my film.gif").write_bytes(film())
    uploads = [Upload("0", "my film.gif", film())]
    job = job_on(list(inputs.read(uploads, SHAPE, AUTO, "digits", (), "all")), scorer(run))
    job.advance(60)
    (_, _, (given, scored)) = job.scored()
    lines = lines_of(run, job, given)
    assert_same(report_of(lines), scored.report)
    command = shlex.split(lines.splitlines()[-1].removeprefix("# "))
    assert command_line(command[3:]) == 0
    printed = capsys.readouterr().out
    assert "my film.gif[2]" in printed
    assert f"log p(x) = {scored.score.log_px:.2f}" in printed


def test_thumbnails_are_forgotten_with_their_images() -> None:
    assert Given("imports what is needed", torch.zeros(SHAPE, dtype=torch.uint8)).thumbnail
    tracemalloc.start()
    try:
        pixels = torch.randint(0, 256, (100, 1, 28, 28), generator=torch.Generator().manual_seed(0))
        given = [Given(f"image {i}", x) for i, x in enumerate(pixels.to(torch.uint8))]
        before, _ = tracemalloc.get_traced_memory()
        size = sum(len(each.thumbnail) for each in given)
        assert tracemalloc.get_traced_memory()[0] > before + size / 2
        del given
        assert tracemalloc.get_traced_memory()[0] < before + size / 10
    finally:
        tracemalloc.stop()
