"""The page that trains models and shows what they do meanwhile."""
