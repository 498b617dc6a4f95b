"""The Posterior lab: q(z|x) beside the true p(z|x)."""
