"""How many samples the pages Start and Theory draw for one image."""

SAMPLES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The values of L that can be chosen."""
MAX_SAMPLES = SAMPLES[-1]
"""This many ε are always drawn and the first L are used, so a larger L keeps the draws of a smaller
one."""
IMPORTANCE_SAMPLES = 1000
"""K of log p̂(x)."""
