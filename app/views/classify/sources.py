"""The models that classify, as the core wants them."""

from app.services import models
from app.services.models import Choice
from vae_core.analysis.classifiers import Source


def source_of(choice: Choice) -> Source:
    """Return the model of a choice, with the binarisation of its training."""
    return Source(models.model(choice), choice.run.config.train.binarisation)
