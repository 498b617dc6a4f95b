"""The parts of the Posterior lab."""
