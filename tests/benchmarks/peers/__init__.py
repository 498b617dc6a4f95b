"""The same work done by other programs: by their packages or, if there is none, by our own code
that does the steps of their published example or evaluation."""
