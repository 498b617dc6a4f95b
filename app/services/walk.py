"""The numbers of one image on its way through a model, which the pages Start and Theory show.

The modules that compute them load torch, so they are imported late.
"""

from typing import TYPE_CHECKING

from app.services import models
from app.services.byte_cache import cached
from app.services.images import Images

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference, Walk


@cached(max_entries=64, show_spinner="Estimating log p(x)", hash_funcs={Images: Images.identity})
def reference_of(images: Images, index: int) -> "Reference":
    """Values for an image and a model that do not depend on the noise."""
    from app.services import walk_numbers

    return walk_numbers.reference(models.model(images.choice), images.x(index))


@cached(max_entries=64, hash_funcs={Images: Images.identity})
def walk_of(images: Images, index: int, seed: int, samples: int) -> "Walk":
    """Draws of ε for an image, and the values computed from each."""
    from app.services import walk_numbers

    return walk_numbers.walk(models.model(images.choice), images.x(index), seed, samples)
