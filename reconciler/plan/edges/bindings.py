"""Bindings and what they bind: roles, and admission policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.identity import ObjectId
from reconciler.plan.edges.objects import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.graph import Edge
    from reconciler.plan.edges.objects import Body, Objects

_ROLES = "rbac.authorization.k8s.io"
_POLICIES = "admissionregistration.k8s.io"


def edges(identity: ObjectId, body: Body, objects: Objects) -> Iterator[Edge | None]:
    """Yield the edge of a binding to its role or policy."""
    if identity.group == _ROLES and identity.kind in ("RoleBinding", "ClusterRoleBinding"):
        role = mapping(body.get("roleRef"))
        kind = str(role.get("kind"))
        needed = ObjectId(_ROLES, kind, identity.namespace if kind == "Role" else "", str(role.get("name")))
        yield objects.edge(identity, needed, "binds it", at=("roleRef", "name"))
    elif identity.group == _POLICIES and identity.kind.endswith("PolicyBinding"):
        name = str(mapping(body.get("spec")).get("policyName"))
        needed = ObjectId(_POLICIES, identity.kind.removesuffix("Binding"), "", name)
        yield objects.edge(identity, needed, "binds it", at=("spec", "policyName"))
