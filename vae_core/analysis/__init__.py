"""Analyse a trained model on a data set: evaluation, latent space, classes, neighbours.

May import: inference, data, model and below.
"""
