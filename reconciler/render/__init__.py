"""Builds Kustomize directories in memory, with the origin of every leaf. Pure: reads a tree, runs and fetches nothing."""
