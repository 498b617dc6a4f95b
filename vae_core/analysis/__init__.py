"""What a trained model has learnt, measured on a data set.

May import: inference, data, model and below.
"""
