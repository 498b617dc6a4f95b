"""From a config and images to weights, as a stream of events. Knows nothing of files.

May import: inference, data, model and below.
"""
