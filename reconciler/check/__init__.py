"""Checks rendered objects without a cluster: do all references resolve. Pure."""
