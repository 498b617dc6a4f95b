"""Runs side by side: settings that differ, figures in groups, damage that costs only itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from vae_core.basics.paths import pretrained_folder
from vae_core.runs.comparison import Comparison, compare, compared, differing
from vae_core.runs.comparison_export import columns_of, record_of, sentences
from vae_core.runs.run import Run
from vae_core.settings.config import RunConfig

FIGURES = {
    "dataset": "digits", "split": "test", "binarisation": "dynamic", "images": 200,
    "importance_samples": 200, "proposal": "encoder", "seed": 0,
    "log_px_se": 0.5, "elbo_se": 0.5, "expected_log_likelihood": -20.0, "kl": 3.0,
    "bits_per_dim": 0.5,
}  # fmt: skip
MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a run folder with figures whose scores of single images are given by their offset."""
    hard = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5

    def make(
        name: str, offset: float | None, settings: dict[str, Any] | None = None, **figures: Any
    ) -> Run:
        folder = tmp_path / name
        folder.mkdir()
        config = RunConfig.from_settings({"title": name, **(settings or {})})
        (folder / "config.json").write_text(json.dumps(config.to_dict()))
        (folder / "status.json").write_text('{"state": "done"}')
        if offset is not None:
            noise = torch.randn(200, generator=torch.Generator().manual_seed(len(name)))
            scores = hard - 30 + offset + 0.1 * noise
            means = {"log_px": float(scores.mean()), "elbo": float(scores.mean()) - 1}
            written = FIGURES | means | figures
            (folder / "evaluation.json").write_text(json.dumps(written))
            kept = save({"log_px": scores.float(), "elbo": scores.float() - 1})
            (folder / "held_out.safetensors").write_bytes(kept)
        return Run.open(folder)

    return make


def put_together(*runs: Run) -> Comparison:
    return compare([compared(run) for run in runs])


def test_only_settings_that_differ_are_listed() -> None:
    one = RunConfig.from_settings({"posterior": "full", "latent_size": 2})
    other = RunConfig.from_settings({"posterior": "full", "latent_size": 4})
    assert [(d.about.name, d.values) for d in differing([one, other])] == [("latent_size", (2, 4))]


def test_a_setting_without_meaning_for_a_run_has_no_value_there() -> None:
    one = RunConfig.from_settings({"posterior": "full"})
    other = RunConfig.from_settings({"posterior": "planar", "flow_steps": 4})
    found = {d.about.name: d.values for d in differing([one, other])}
    assert found["flow_steps"] == (None, 4)


def test_the_names_of_runs_are_no_setting() -> None:
    one, other = (RunConfig.from_settings({"title": title}) for title in "ab")
    assert differing([one, other]) == ()


def test_runs_of_one_protocol_are_ranked_by_differences_of_the_same_images(make_run) -> None:
    found = put_together(make_run("worse", 0.0), make_run("better", 0.2))
    (group,) = found.groups
    assert group.best("log_px") == 1
    assert group.rankings["log_px"].differences.paired.all()
    assert sentences(found)[0].startswith("better has the highest log p̂(x): 0.19 ± 0.01 nats")


def test_a_ranking_says_that_its_figures_are_estimated_from_below(make_run) -> None:
    found = put_together(make_run("worse", 0.0), make_run("better", 0.2))
    assert sentences(found)[-1].startswith("log p̂(x) is estimated from below")


def test_runs_that_differ_by_less_than_their_error_have_no_best(make_run) -> None:
    found = put_together(make_run("a", 0.0), make_run("bb", 0.001))
    assert found.groups[0].best("log_px") is None
    assert "cannot be told" in sentences(found)[0]


@pytest.mark.parametrize(
    "other",
    [{"importance_samples": 5000}, {"images": 200, "seed": 1}, {"proposal": "refined"}],
)
def test_figures_of_other_protocols_are_in_two_groups_without_a_best(make_run, other) -> None:
    found = put_together(make_run("worse", 0.0), make_run("better", 9.0, **other))
    assert [group.members for group in found.groups] == [(0,), (1,)]
    assert all(group.best("log_px") is None for group in found.groups)
    assert sentences(found)[0].startswith("The figures were measured in 2 different ways.")


def test_runs_of_different_likelihoods_are_in_two_groups(make_run) -> None:
    levels = {"likelihood": "discretised-logistic", "binarisation": "none"}
    one = make_run("one", 0.0, levels, binarisation="none")
    mixed = make_run("mixed", 9.0, levels | {"likelihood": "discretised-logistic-mixture"},
                     binarisation="none")  # fmt: skip
    assert len(put_together(one, mixed).groups) == 2


def test_densities_are_put_side_by_side_and_not_ranked(make_run) -> None:
    settings = {"likelihood": "gaussian", "binarisation": "none"}
    runs = [make_run(n, 9.0 * len(n), settings, binarisation="none") for n in ("a", "bb")]
    found = put_together(*runs)
    assert found.groups[0].members == (0, 1)
    assert found.groups[0].best("log_px") is None
    assert sentences(found) == [
        "These runs are not ranked. log p(x) is a density of grey values: compare it within this "
        "model only."
    ]


def test_a_refined_estimate_is_a_group_of_its_own(make_run) -> None:
    refined = {"log_px": -28.0, "log_px_se": 0.5, "images": 100}
    found = put_together(make_run("a", 0.0, refined=refined), make_run("bb", 0.0))
    assert [g.members for g in found.groups] == [(0, 1), (0,)]
    assert found.groups[1].conditions.protocol.proposal == "refined"
    assert found.groups[1].conditions.protocol.images == 100


def test_an_unfinished_run_takes_part_without_figures(make_run) -> None:
    found = put_together(make_run("a", 0.0), make_run("bb", None))
    assert found.groups[0].members == (0,)
    assert columns_of(found)["id"] == [each.key for each in found.runs]


def test_damaged_scores_cost_the_pairing_and_not_the_figures(make_run) -> None:
    run, other = make_run("a", 0.0), make_run("bb", 0.2)
    (run.folder / "held_out.safetensors").write_bytes(b"no tensors")
    found = put_together(run, other)
    assert found.groups[0].members == (0, 1)
    assert not found.groups[0].rankings["log_px"].differences.paired.any()
    assert "held_out.safetensors of the run a is damaged" in found.runs[0].problems[0]
    assert not found.runs[1].problems


def test_scores_of_other_figures_are_not_used(make_run) -> None:
    run, other = make_run("a", 0.0), make_run("bb", 0.2)
    shutil.copy(other.folder / "held_out.safetensors", run.folder)
    found = put_together(run, other)
    assert found.runs[0].problems == (
        "held_out.safetensors of the run a does not belong to its figures, so the differences of "
        "single images are not used.",
    )


def test_damaged_figures_cost_the_figures_and_not_the_run(make_run) -> None:
    run = make_run("a", 0.0)
    (run.folder / "evaluation.json").write_text("{")
    found = put_together(run, make_run("bb", 0.2))
    assert found.groups[0].members == (1,)
    assert "evaluation.json" in found.runs[0].problems[0]


def test_runs_with_equal_names_are_told_apart(make_run) -> None:
    runs = [make_run("a-1", None, {"title": "same"}), make_run("a-2", None, {"title": "same"})]
    assert put_together(*runs).names == ("same · 1", "same · 2")


def test_the_scores_of_every_pretrained_model_belong_to_its_figures() -> None:
    for folder in sorted(pretrained_folder().glob("digits-*")):
        found = compared(Run.open(folder))
        assert found.problems == ()
        assert set(found.by_image) == {"log_px", "elbo"}
        assert found.key == f"pretrained/{folder.name}"


def test_the_record_says_by_how_much_each_run_is_below_the_highest(make_run) -> None:
    found = record_of(put_together(make_run("worse", 0.0), make_run("better", 0.2)))
    ranking = found["groups"][0]["rankings"]["log_px"]
    keys = [each["id"] for each in found["runs"]]
    assert ranking["best"] == keys[1]
    assert ranking["below_the_highest"][0]["id"] == keys[0]
    assert ranking["below_the_highest"][0]["difference"] == pytest.approx(0.2, abs=0.03)
    assert ranking["below_the_highest"][0]["paired"] is True


def test_no_runs_make_an_empty_comparison() -> None:
    assert record_of(compare([]))["groups"] == []
