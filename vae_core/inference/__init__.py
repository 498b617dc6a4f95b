"""Estimators for one trained model: z given x, and log p(x).

May import: model, settings and basics (and data's pixels).
"""
