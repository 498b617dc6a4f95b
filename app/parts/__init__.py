"""What several pages are made of: widgets, charts, forms, pickers, live panels."""
