"""Flow steps, one family a file: modules (z, h) -> (z', log |det J|)."""
