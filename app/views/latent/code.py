"""Example code: the ``vae_core`` lines that compute each tab of the Latent space page."""

from pathlib import Path

from app.services.latent import SEED, View

_ROOT = Path(__file__).resolve().parents[3]

_ENCODE = "encoded = latent.encode(model, x)\nmeans = encoded.mean.double().numpy()"

_TABS = {
    "Map": """
plane = latent.plane_of(means)                  # for d > 2 the principal plane
points = plane.project(means)                   # (N, 2)
image = latent.decode(model, means[{index}])    # the reconstruction of an image
z = latent.posterior_path(model, x[{index}:{after}], 500).z    # draws of its posterior
near = latent.nearest(means, means[{index}], 9) # the image itself, then its neighbours
""",
    "Decode": """
z = means[{index}].copy()
z[latent.dimensions(encoded).order[0]] += 1     # move the dimension with the most KL
image = latent.decode(model, z)                 # E[x|z], (C, H, W)
""",
    "Manifold": """
plane = latent.plane_of(means)
grid = latent.quantile_grid(model.prior, 20, plane)     # (20, 20, 2)
images = latent.decode(model, plane.lift(grid))         # (20, 20, C, H, W)
""",
    "Interpolate": """
path = latent.spherical_path(means[{index}], means[{other}], 11)   # or latent.straight_path
images = latent.decode(model, path)             # (11, C, H, W)
""",
    "Traverse": """
dims = latent.dimensions(encoded).order[:10]
values = np.linspace(-3, 3, 13)
images = latent.decode(model, latent.traversals(means[{index}], dims, values))
""",
    "Prior": """
dims = latent.dimensions(encoded)
print(dims.kl[dims.order], dims.dead.sum(), "dead")
z = latent.aggregate_draws(model, x)            # (N, d), to compare with the prior
""",
}


def lines(
    tab: str, view: View, index: int = 0, other: int = 0, more: tuple[str, str] | None = None
) -> str:
    """Runnable Python that computes what a tab shows, for the chosen image and a second one.

    Args:
        more: what a choice on the tab adds: a line of imports, and lines that follow the others.
    """
    config = view.choice.run.config
    folder = view.choice.run.folder.resolve()
    place = folder.relative_to(_ROOT) if folder.is_relative_to(_ROOT) else folder
    imports, further = more or ("", "")
    head = [
        "import numpy as np" if "np." in _TABS[tab] else "",
        "from vae_core import load_dataset, load_model",
        "from vae_core.analysis import latent",
        imports,
        "from vae_core.data.pixels import evaluation_images",
    ]
    data = [
        f'model = load_model("{place.as_posix()}")',
        f'data = load_dataset("{config.dataset}")',
        f'x, labels = evaluation_images(data, "{view.split}", "{view.binarisation}", seed={SEED})',
        _ENCODE,
    ]
    body = _TABS[tab].strip("\n").format(index=index, after=index + 1, other=other)
    parts = [filter(None, head), data, [body], [further] if further else []]
    return "\n\n".join("\n".join(part) for part in parts if part)
