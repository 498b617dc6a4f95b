"""The Train page: start runs and watch them."""
