"""Secrets whose values are made in the cluster, once, and never stand in git.

A Secret says in the annotation `reconciler.dev/generate` how each of its values is made. Rendering knows the keys and not
the values (`pending`), a plan takes those that the cluster has (`settle`), and only an apply makes what is missing (`make`).
"""

from reconciler.generated.pending import PENDING, expanded, pending_keys
from reconciler.generated.recipes import Recipe, recipes_of, sources_of
from reconciler.generated.settle import settled

__all__ = ["PENDING", "Recipe", "expanded", "pending_keys", "recipes_of", "settled", "sources_of"]
