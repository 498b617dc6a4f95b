"""The lab of the posterior: q(z|x) beside the true p(z|x)."""
