"""The lab of gradient estimators."""
