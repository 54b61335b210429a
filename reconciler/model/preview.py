"""What a change of the config repository does to its environments: desired against desired, no cluster asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.plan import Action

if TYPE_CHECKING:
    from reconciler.errors import Problem
    from reconciler.model.plan import Change, FieldChange, Refusal


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What a change does to one environment.

    `id` is a digest of the environment and, per object, identity with old and new desired digest: no commit, time or
    origin is in it, so a squash merge keeps it. It is "" where one of the two sides cannot be rendered. `settings` are
    the fields of environment.yaml that change, `expected` what the policy would refuse when this is applied.
    """

    environment: str
    id: str
    changes: tuple[Change, ...] = ()
    settings: tuple[FieldChange, ...] = ()
    expected: tuple[Refusal, ...] = ()
    problems: tuple[Problem, ...] = ()  # of the head
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[str, int]:
        """The number of objects by action."""
        counts = Counter(change.action for change in self.changes)
        return {str(action): counts[action] for action in Action if action is not Action.UNCHANGED}


@dataclass(frozen=True, slots=True)
class Folded:
    """One change with the environments that it is the same in."""

    change: Change
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What `head` does that `base` did not. `untouched` are the environments that it leaves as they are.

    `base` is the commit that both have in common, full ids both.
    """

    base: str
    head: str
    environments: tuple[ChangeSet, ...]
    untouched: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether the head cannot be applied as it stands."""
        return any(item.problems for item in self.environments)
