"""Parts that several pages share: widgets, charts, forms, pickers, live panels."""
