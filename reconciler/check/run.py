"""All rules over all objects: findings to problems with file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.check import accounts, harbor, identity, links, ports, security, selectors, sources, volumes
from reconciler.check.world import Finding, World
from reconciler.errors import Problem
from reconciler.model.marks import IGNORE_CHECKS
from reconciler.model.tree import origin_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.resource import Desired

RULES: Final[Mapping[str, Callable[[World], Iterator[Finding]]]] = {
    "object-twice": identity.twice,
    "unknown-kind": identity.unknown_kind,
    "scope": identity.scope,
    "namespace": identity.namespace,
    "service-selector": selectors.service_selector,
    "workload-selector": selectors.workload_selector,
    "budget-selector": selectors.budget_selector,
    "policy-selector": selectors.policy_selector,
    "service-port": ports.service_port,
    "probe-port": ports.probe_port,
    "port-names": ports.port_names,
    "volume-mount": volumes.mount,
    "volume-unused": volumes.unused,
    "volume-claim": volumes.claim,
    "storage-class": volumes.storage_class,
    "config-reference": sources.config,
    "service-account": accounts.service_account,
    "role": accounts.role,
    "binding-subject": accounts.subject,
    "backend": links.backend,
    "stateful-service": links.stateful_service,
    "scale-target": links.scale_target,
    "webhook-service": links.webhook,
    "admission-policy": links.admission_policy,
    "priority-class": links.priority,
    "harbor-server": harbor.server,
    "harbor-reference": harbor.reference,
    "image-tag": security.image,
    "pod-security": security.pod_security,
}
"""By the name that is told and that the annotation `reconciler.dev/ignore-checks` takes."""


def check(desired: Desired) -> tuple[Problem, ...]:
    """Return everything that is wrong among the objects of an environment, in the order of files and lines."""
    world = World(resource for _, resource in desired.resources)
    found = {
        _problem(name, finding)
        for name, rule in RULES.items()
        for finding in rule(world)
        if name not in _ignored(finding)
    }
    return tuple(sorted(found))


def _ignored(finding: Finding) -> set[str]:
    return {part.strip() for part in str(finding.resource.annotations.get(IGNORE_CHECKS, "")).split(",")}


def _problem(name: str, finding: Finding) -> Problem:
    origin = origin_at(finding.resource.body, finding.steps) or finding.resource.origin
    file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
    return Problem(file, line, f"{finding.resource.id}: {finding.message} [{name}]", finding.hint)
