"""Models, data, images, results and work for pages, cached by a model's weights. Draws nothing."""
