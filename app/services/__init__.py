"""What pages ask for, cached and keyed by a model's weights. Draws nothing."""
