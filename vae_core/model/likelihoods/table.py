"""All likelihoods by name. A new one is a class in a file here and a line below."""

from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.likelihoods.bernoulli import Bernoulli
from vae_core.model.likelihoods.continuous_bernoulli import ContinuousBernoulli
from vae_core.model.likelihoods.gaussian import Gaussian
from vae_core.settings.choices import LikelihoodName

LIKELIHOODS: dict[LikelihoodName, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}
