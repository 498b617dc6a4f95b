"""The table of all figures, which calibration, report, detection and pages use."""

from collections.abc import Mapping

from vae_core.scoring.figures import complexity, latent_distance, log_px, regret
from vae_core.scoring.figures.base import Figure

FIGURES: Mapping[str, Figure] = {
    module.FIGURE.name: module.FIGURE for module in (log_px, complexity, regret, latent_distance)
}
"""Every figure by its name, in the order of the columns of a table of values, (N, F)."""
