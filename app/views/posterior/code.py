"""Example code: the ``vae_core`` lines that compute each tab of the Posterior lab."""

from app.parts.text import shown_path
from app.views.posterior.subject import SEED, Subject
from app.views.posterior.tasks import CHAINS, GAP_DRAWS, METHOD_DRAWS, SCHEDULE

_IMPORTS = {
    "load_dataset": "from vae_core import load_dataset",
    "evaluation_images": "from vae_core.data.pixels import evaluation_images",
    "simulate": "from vae_core.inference.annealing import simulate",
    "Path": "from pathlib import Path",
    "prepare": "from vae_core.data.prepare import prepare",
    "model_input": "from vae_core.data.pixels import model_input",
    "torch": "import torch",
}

_TRUTH = """
from vae_core.inference.quadrature import posterior_grid
from vae_core.analysis.latent import posterior_contours

grid = posterior_grid(model, x)                 # p(z|x) on a grid, and log p(x)
print(grid.log_px, grid.error, grid.moments())
curves = posterior_contours(model, x)           # where q(z|x) maps |ε| = 1, 2, 3
"""

_TRUTH_MANY = """
from vae_core.inference.hmc import posterior_steps
from vae_core.analysis.latent import narrowest_plane_of

for chains in posterior_steps(model, x, chains=4, draws=250, warmup=300, seed={seed}):
    pass
print(chains.draws.shape, chains.r_hat(), chains.acceptance)
z, _ = model.posterior(x).rsample_and_log_prob(4096)
plane = narrowest_plane_of(z[:, 0].double().numpy())       # the plane of the picture
print(plane.project(chains.draws.double().numpy()).shape)
"""

_TABS = {
    "bounds": """
from vae_core.inference.annealing import Annealing, {annealed}
from vae_core.inference.importance import log_density

print(log_density(model, x, {samples}, seed={seed}))         # ELBO, log p̂(x), se, ESS, k̂
annealing = Annealing(chains={chains}, temperatures={temperatures})
print({call})
""",
    "gap": """
from vae_core.inference.fitting import Schedule
from vae_core.inference.gap import gap
from vae_core.inference.refit import refit

schedule = {schedule}
for fit in refit(model, x, schedule, seed={seed}):           # the best q for this image alone
    pass
{exact}
print(gap(model, x, fit.posterior, log_px, error, n={draws}, seed={seed}))
""",
    "flow": """
from vae_core.inference.gap import fresh_noise

path = model.posterior(x).path(fresh_noise(model, x, 600, seed={seed}))
for t, z in enumerate(path.points):             # z_0, ..., z_T, each (600, 1, d)
    print(t, z.mean(0), path.log_abs_dets[t - 1].mean() if t else "")
""",
    "weights": """
from vae_core.inference.importance import log_density

density = log_density(model, x, {samples}, seed={seed})
print(density.log_px, density.se, density.ess, density.pareto_k)
""",
    "methods": """
from vae_core.inference.methods import available, infer

for method in available(model):
    for state in infer(method.name, model, x, draws={methods}, seed={seed}):
        pass
    print(method.title, method.kind, state.value, state.error, state.diagnostics, state.seconds)
""",
}


def lines(tab: str, subject: Subject, samples: int = 1000, temperatures: int = 500) -> str:
    """Runnable Python that computes what a tab shows for the image and the chosen model."""
    body = _TABS.get(tab) or (_TRUTH if subject.d <= 2 else _TRUTH_MANY)
    drawn = subject.z is not None
    options = {
        field: getattr(SCHEDULE, field)
        for field in ("samples", "check_every", "check_samples", "patience", "rates", "most_steps")
    }
    body = body.format(
        seed=SEED,
        samples=samples,
        chains=CHAINS,
        temperatures=temperatures,
        annealed="bdmc" if drawn else "ais",
        call=f"bdmc(model, x, z, annealing, seed={SEED})"
        if drawn
        else f"ais(model, x, annealing, seed={SEED})",
        schedule=f"Schedule({', '.join(f'{k}={v}' for k, v in options.items())})",
        exact=_reference(subject),
        draws=GAP_DRAWS,
        methods=METHOD_DRAWS,
    )
    text = "\n".join(subject.code)
    imports = [line for name, line in _IMPORTS.items() if name in text]
    model = f"model = load_model({shown_path(subject.choice.run.folder)!r})"
    first = ["from vae_core import load_model", *imports, "", model, text]
    return "\n".join([*first, body.rstrip("\n")])


def _reference(subject: Subject) -> str:
    if subject.d <= 2:
        return (
            "from vae_core.inference.quadrature import quadrature\n"
            "exact = quadrature(model, x)\nlog_px, error = exact.log_px, exact.error"
        )
    return (
        "from vae_core.inference.proposals import refined_log_density\n"
        f"estimate = refined_log_density(model, x, 10_000, seed={SEED})\n"
        "log_px, error = estimate.log_px, estimate.se"
    )
