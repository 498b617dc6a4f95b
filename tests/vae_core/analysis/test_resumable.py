"""An estimate that is cut off goes on, and is the same as one that was not."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from vae_core.analysis import resumable
from vae_core.analysis.resumable import kept_log_density
from vae_core.inference.importance import LogDensity, log_density
from vae_core.inference.proposals import refined_log_density
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig


class Cut(Exception):
    pass


def model(seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(ModelConfig(latent_size=2, hidden_size=8, image_shape=(1, 4, 4)))


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 2, (count, 1, 4, 4), generator=torch.Generator().manual_seed(1)).float()


def same(a: LogDensity, b: LogDensity) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(LogDensity)]
    return all(torch.allclose(x, y, rtol=0, atol=1e-5, equal_nan=True) for x, y in pairs)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each piece of work was of."""
    pieces: list[int] = []

    def counted(model: VAE, x: torch.Tensor, n: int, seed: int, **_: object) -> LogDensity:
        pieces.append(len(x))
        return log_density(model, x, n, seed)

    estimates = {"encoder": counted, "refined": refined_log_density}
    monkeypatch.setattr(resumable, "ESTIMATES", estimates)
    return pieces


def test_it_goes_on_where_it_was_cut_off(tmp_path: Path, scored: list[int]):
    def cut(share: float) -> None:
        if share > 0.6:
            raise Cut

    x, kept = images(50), tmp_path / "kept"
    with pytest.raises(Cut):
        kept_log_density(model(), x, 60, 0, kept, cut)
    assert scored == [20, 20]
    found = kept_log_density(model(), x, 60, 0, kept)
    assert scored == [20, 20, 10]
    assert same(found, log_density(model(), x, 60, 0))


@pytest.mark.slow
def test_refined_proposals_are_kept_apart(tmp_path: Path, scored: list[int]):
    x, kept = images(20), tmp_path / "kept"
    refined = kept_log_density(model(), x, 40, 0, kept, proposal="refined")
    assert same(refined, refined_log_density(model(), x, 40, 0))
    again = kept_log_density(model(), x, 40, 0, kept, proposal="refined")
    assert torch.equal(again.log_px, refined.log_px)
    assert not scored
    assert same(kept_log_density(model(), x, 40, 0, kept), log_density(model(), x, 40, 0))
    assert scored == [20]


def test_images_may_be_added_or_left_out(tmp_path: Path, scored: list[int]):
    x, kept = images(30), tmp_path / "kept"
    kept_log_density(model(), x[:20], 40, 0, kept)
    whole = kept_log_density(model(), x, 40, 0, kept)
    assert scored == [20, 10]
    few = kept_log_density(model(), x[:7], 40, 0, kept)
    assert scored == [20, 10]
    assert torch.equal(few.log_px, whole.log_px[:7])


@pytest.mark.parametrize("other", ["weights", "images", "count", "seed", "damaged"])
def test_what_is_of_something_else_is_not_taken(tmp_path: Path, scored: list[int], other: str):
    x, kept = images(20), tmp_path / "kept"
    kept_log_density(model(), x, 40, 0, kept)
    if other == "damaged":
        kept.write_bytes(kept.read_bytes()[:-9])
    now, count, seed = model(other == "weights"), 40 + (other == "count"), int(other == "seed")
    again = 1 - x if other == "images" else x
    found = kept_log_density(now, again, count, seed, kept)
    assert scored == [20, 20]
    assert same(found, log_density(now, again, count, seed))
