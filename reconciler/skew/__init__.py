"""Two environments side by side: which objects and fields differ, and which layer makes them differ. Pure."""

from reconciler.skew.compare import compare

__all__ = ["compare"]
