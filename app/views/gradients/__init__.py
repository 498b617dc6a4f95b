"""The Gradients page: a lab for gradient estimators."""
