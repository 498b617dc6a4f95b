"""The report of an image, kept so that it can be made again at once.

What takes time is kept: log p̂(x), the figures, p(y|x) of a class head. What is made of these
numbers and of the encoder's q(z|x) is made again: the place among held-out images, the verdict, the
nearest training images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from vae_core.analysis.classification import ClassProbabilities
from vae_core.scoring.calibration import Calibration, Measured
from vae_core.scoring.context import ImageContext
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.report import Report
from vae_core.scoring.score import Convergence, Score


@dataclass(frozen=True)
class KeptReport:
    """The numbers of a report that take time.

    Attributes:
        score: without a place.
        code_bits, values, errors: as in the report.
        measured: every figure by the protocol of the calibration.
        head: p(y|x) of the model's class head; None if it has none.
        convergence: of log p̂(x).
    """

    score: Score
    code_bits: float
    values: Mapping[str, float]
    errors: Mapping[str, float]
    measured: Mapping[str, float]
    head: ClassProbabilities | None
    convergence: Convergence

    @classmethod
    def of(cls, report: Report, convergence: Convergence) -> "KeptReport":
        """Keep a report that has a judgement."""
        assert report.judgement is not None
        has_head = report.classes is not None and report.classes.se is not None
        return cls(
            replace(report.score, place=None),
            report.code_bits,
            report.values,
            report.errors,
            report.judgement.values,
            report.classes if has_head else None,
            convergence,
        )

    def restored(
        self, image: ImageContext, calibration: Calibration, false_alarms: float
    ) -> Report:
        """Make the report again.

        Args:
            image: the one image that it is about, with the calibration's training latents.
            calibration: the one that it was made with.
        """
        table = torch.tensor([[self.measured[name] for name in FIGURES]], dtype=torch.float64)
        measured = Measured(table, calibration.strata_of(image))
        (judgement,) = calibration.judge(measured, false_alarms)
        (neighbours,) = calibration.latents.nearest(image.whitened)
        classes = self.head
        if classes is None and calibration.has_classes:
            (classes,) = calibration.classifier(image.whitened)
        place = calibration.place(self.measured["log_px"])
        return Report(
            replace(self.score, place=place),
            self.code_bits,
            self.values,
            self.errors,
            neighbours,
            classes,
            judgement,
        )
