"""The numbers of one image on its way through a model, which the pages Start and Theory show.

The modules that compute them load torch, so they are imported late.
"""

from typing import TYPE_CHECKING

from app.services import models
from app.services.byte_cache import cached
from app.services.images import Images

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference, Walk

SAMPLES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The values of L that can be chosen."""
MAX_SAMPLES = SAMPLES[-1]
"""This many ε are always drawn and the first L are used, so a larger L keeps the draws of a smaller
one."""
IMPORTANCE_SAMPLES = 1000
"""K of log p̂(x)."""


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
