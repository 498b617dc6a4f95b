"""Flow steps, one family per file: modules (z, h) -> (z', log |det J|)."""
