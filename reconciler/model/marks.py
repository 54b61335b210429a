"""The annotations by which an object in git says what a run is to do with it, and the values that each of them knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "reconciler.dev/"
"""What the names of all marks begin with."""

PRUNE: Final = "reconciler.dev/prune"
RECONCILE: Final = "reconciler.dev/reconcile"
REPLACE: Final = "reconciler.dev/replace"
WAIT: Final = "reconciler.dev/wait"
DEPENDS_ON: Final = "reconciler.dev/depends-on"
GENERATE: Final = "reconciler.dev/generate"
IGNORE_CHECKS: Final = "reconciler.dev/ignore-checks"

DISABLED: Final = "disabled"
ORPHAN: Final = "orphan"
ALLOWED: Final = "allowed"

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    PRUNE: (DISABLED, ORPHAN),
    RECONCILE: (DISABLED,),
    REPLACE: (ALLOWED,),
    WAIT: (DISABLED,),
    DEPENDS_ON: (),
    GENERATE: (),
    IGNORE_CHECKS: (),
}
"""Every mark with its values; () where whoever reads it says what is wrong with its text."""
