"""The values of L that can be chosen."""

SAMPLES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MAX_SAMPLES = SAMPLES[-1]
"""This many ε are always drawn and the first L are used, so a larger L keeps the draws of a smaller
one."""
