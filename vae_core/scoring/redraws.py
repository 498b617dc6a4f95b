"""Redraw the random binarisation of an image, to see how much the score depends on it.

Dynamic binarisation draws every pixel, so each draw of a grey image has its own score. Held-out
images are binarised once as well, so the false-alarm rate of a verdict is correct for a single
draw. Another draw of the same image may still give another verdict.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.data.pixels import model_input
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.judge import Judge
from vae_core.scoring.report import Report, report_images
from vae_core.scoring.typicality import Verdict

DRAWS = 10


@dataclass(frozen=True)
class Redraws:
    """Reports of several draws of one image, by dynamic binarisation.

    Attributes:
        reports: one per finished draw, with the seeds 0, 1, 2, ...
        draws: total number of draws.
    """

    reports: tuple[Report, ...]
    draws: int

    @property
    def share(self) -> float:
        """Share of the draws that are done, 0 to 1."""
        return len(self.reports) / self.draws

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) of each draw in nats, (n,), float64."""
        return torch.tensor([each.score.log_px for each in self.reports], dtype=torch.float64)

    @property
    def percentiles(self) -> list[float]:
        """Percentiles of log p̂(x) among held-out images, 0 to 100; empty without a calibration."""
        return [each.score.place.percentile for each in self.reports if each.score.place]

    @property
    def verdicts(self) -> Sequence[tuple[Verdict, int]]:
        """Number of draws with each verdict, the most frequent first."""
        found: list[Verdict] = [each.verdict for each in self.reports if each.verdict]
        return Counter(found).most_common()


def redraw_steps(
    model: VAE,
    pixels: Tensor,
    importance_samples: int,
    judge: Judge | Calibration | None = None,
    draws: int = DRAWS,
) -> Iterator[Redraws]:
    """Draw binary images from grey pixels (C, H, W), uint8, and report on them one by one.

    Args:
        importance_samples: K.
        judge: as in :func:`vae_core.scoring.report.report_images`.

    Yields:
        The reports so far, after each draw.
    """
    reports: tuple[Report, ...] = ()
    for seed in range(draws):
        x = model_input(pixels, "dynamic", seed)
        reports += tuple(report_images(model, x, importance_samples, judge))
        yield Redraws(reports, draws)
