"""Frozen types that the stages hand to each other, and nothing else: no I/O, no policy."""
