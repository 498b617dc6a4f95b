"""The parts of the Gradient lab: what is measured, what is drawn of it, and what is said."""
