"""A pull request: what it does to every environment, computed from two commits alone."""
