"""Checks rendered objects without a cluster: do all references resolve. Pure.

KWOK, and a plan, take a Deployment for good whose Service selects nothing. These rules do not: each selector, port,
volume, key, account and role has to lead somewhere. An object that knows better says so with the annotation
`reconciler.dev/ignore-checks: rule, rule`. Rules of the repository's own (`spec.rules`) are evaluated beside them.
"""

from reconciler.check.declared import broken
from reconciler.check.overridden import overridden
from reconciler.check.policy import misnamed
from reconciler.check.run import check

__all__ = ["broken", "check", "misnamed", "overridden"]
