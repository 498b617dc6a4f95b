"""Scores that say how usual an image is for a model: report, calibration, detection.

May import: analysis, inference, data, model and below; not runs, not training.
"""
