"""What a cluster really is, and what stands in the way of what git wants of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.origin import Origin

Severity = Literal["blocker", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs from git, or that stands in the way of an upgrade.

    `check` is its kind (facts, nodes, skew, deprecated, budgets, capacity), `about` what it is about, `origin` the line of
    git that says otherwise.
    """

    check: str
    severity: Severity
    about: str
    message: str
    hint: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was read of a cluster: its version (`v1.36.4`), and the objects that the checks look at."""

    version: str
    served: frozenset[str]  # group/version
    nodes: Sequence[Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    pods: Sequence[Mapping[str, Any]]
    deprecated: Sequence[Mapping[str, str]]  # labels of apiserver_requested_deprecated_apis
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of kubelets, by the name of the node
    unread: tuple[str, ...] = ()  # what could not be read, and why


@dataclass(frozen=True, slots=True)
class Preflight:
    """The findings of one look. `target` is the minor version that an upgrade is to reach, "" where none is planned."""

    environment: str
    version: str
    target: str
    nodes: int
    findings: tuple[Finding, ...]
    unread: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way."""
        return any(item.severity == "blocker" for item in self.findings)
