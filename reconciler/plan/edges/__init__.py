"""Edges between objects, read from the objects themselves. Each module knows one family of reasons."""
