"""Reads the config repository: the working tree, or the tree of a commit by blob, without a checkout."""
