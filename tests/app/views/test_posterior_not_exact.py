"""The Posterior lab where the quadrature does not reach its tolerance: nothing is called exact."""

from dataclasses import replace

import pytest

from app.services import densities, models
from app.services.models import Choice
from app.views.posterior import truth_tab
from app.views.posterior.subject import Subject
from tests.app.views.opening import opened
from vae_core.inference.quadrature import PosteriorGrid

MODEL = "pretrained/digits-full-d2"


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every quadrature miss its tolerance."""
    original = densities.truth

    def truth(choice: Choice, x: object) -> PosteriorGrid | None:
        grid = original(choice, x)  # type: ignore[arg-type]
        return grid and replace(grid, error=0.5, reached=False)

    monkeypatch.setattr(densities, "truth", truth)


@pytest.mark.slow
def test_the_page_says_so_and_takes_an_estimate_as_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Subject] = []
    accuracy = truth_tab._accuracy

    def noted(subject: Subject) -> str:
        seen.append(subject)
        return accuracy(subject)

    monkeypatch.setattr(truth_tab, "_accuracy", noted)
    app = opened("posterior", model=MODEL)
    texts = [each.value for each in (*app.caption, *app.markdown)]
    assert any("too large for log p(x) to count as exact" in text for text in texts)
    assert not any("exact log p(x)" in text for text in texts)
    (choice, x) = seen[0].choice, seen[0].x
    assert isinstance(models.model(choice).config.latent_size, int)
    assert densities.exact(choice, x) is None
    value, error, is_exact = densities.reference([choice], x)
    assert not is_exact
    assert value < 0 < error
