"""Reads the cluster for a run: the only read path."""
