"""A talk: screens of the app in an order, with notes, stepped through by keys."""
