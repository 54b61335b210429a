"""The control plane against `ClusterFacts`."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from reconciler.model.preflight import Finding
from reconciler.model.tree import origin_at
from reconciler.preflight.version import is_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.preflight import Sight
    from reconciler.model.resource import Resource


def facts(wanted: Resource, sight: Sight) -> Iterator[Finding]:
    """Yield what differs: version, ranges of addresses, groups that are not served."""
    spec = spec_of(wanted.body)
    if "version" in spec and not is_of(sight.version, str(spec["version"])):
        told = f"the API server runs {sight.version}, git says {spec['version']}"
        hint = "upgrade the cluster, or change the line in git if the cluster is right"
        yield Finding("facts", "warning", "version", told, hint, origin_at(wanted.body, ("spec", "version")))
    for group in spec.get("apiGroups") or ():
        if group not in sight.served:
            place = origin_at(wanted.body, ("spec", "apiGroups"))
            yield Finding("facts", "blocker", group, "is not served by the API server", origin=place)
    pods = spec.get("podCIDR")
    if pods:
        yield from _addresses(str(pods), wanted, sight)


def _addresses(pods: str, wanted: Resource, sight: Sight) -> Iterator[Finding]:
    place = origin_at(wanted.body, ("spec", "podCIDR"))
    try:
        whole = ipaddress.ip_network(pods)
    except ValueError as error:
        yield Finding("facts", "blocker", str(wanted.id), f"podCIDR: {error}", "expected e.g. 10.244.0.0/16", place)
        return
    for node in sight.nodes:
        given = (node.get("spec") or {}).get("podCIDR")
        if not given:
            continue
        part = ipaddress.ip_network(given)
        if part.version != whole.version or not part.subnet_of(whole):  # type: ignore[arg-type]
            told = f"its Pods have addresses of {given}, git says that all are of {pods}"
            yield Finding("facts", "warning", f"Node/{node['metadata']['name']}", told, origin=place)
