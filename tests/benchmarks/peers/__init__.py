"""What others do for the same work: their packages where there is one, else what their published
example or evaluation does, step for step, in words of our own."""
