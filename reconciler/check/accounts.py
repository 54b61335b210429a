"""ServiceAccounts, roles and bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.check.world import Finding, World, items, mapping
from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Iterator

RBAC = "rbac.authorization.k8s.io"


def service_account(world: World) -> Iterator[Finding]:
    """The ServiceAccount of a Pod is made."""
    for pod in world.pods:
        name = pod.spec.get("serviceAccountName")
        if name and (hint := world.missing("", "ServiceAccount", pod.namespace, str(name))):
            steps = (*pod.at, "spec", "serviceAccountName")
            yield Finding(pod.resource, steps, f"the ServiceAccount {name} does not exist", hint)


def role(world: World) -> Iterator[Finding]:
    """The role of a binding is made, or one of the control plane's own."""
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in world.by_kind[GroupKind(RBAC, kind)]:
            reference = mapping(binding.body.get("roleRef"))
            target, name = str(reference.get("kind")), str(reference.get("name"))
            namespace = binding.id.namespace if target == "Role" else ""
            if hint := world.missing(RBAC, target, namespace, name):
                yield Finding(binding, ("roleRef", "name"), f"the {target} {name} does not exist", hint)


def subject(world: World) -> Iterator[Finding]:
    """A ServiceAccount that a binding gives rights to is made."""
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in world.by_kind[GroupKind(RBAC, kind)]:
            for index, one in items(binding.body.get("subjects")):
                if one.get("kind") != "ServiceAccount":
                    continue
                name, namespace = str(one.get("name")), str(one.get("namespace") or binding.id.namespace)
                if namespace == "kube-system":
                    continue  # the control plane's own accounts live there
                if hint := world.missing("", "ServiceAccount", namespace, name):
                    message = f"the ServiceAccount {name} of namespace {namespace or '(none)'} does not exist"
                    yield Finding(binding, ("subjects", index, "name"), message, hint)
