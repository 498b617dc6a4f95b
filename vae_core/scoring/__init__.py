"""How usual an image is for a model: report, calibration, detection of foreign images.

May import: analysis, inference, data, model and below; not runs, not training.
"""
