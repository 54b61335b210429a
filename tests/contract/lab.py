"""What the contract tests share: a cluster, a namespace of their own, objects to play with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.identity import GroupKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Cluster
    from reconciler.model.api import ApiResource

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lab:
    """A cluster and one namespace in it."""

    cluster: Cluster
    kinds: Mapping[GroupKind, ApiResource]
    namespace: str

    def kind(self, name: str, group: str = "") -> ApiResource:
        """Return a served kind."""
        return self.kinds[GroupKind(group, name)]

    @property
    def config_maps(self) -> ApiResource:
        """The kind that most tests use."""
        return self.kind("ConfigMap")

    def config_map(self, name: str = "settings", data: Mapping[str, str] | None = None, **metadata: Any) -> Body:
        """Return a ConfigMap; without data it has no such field."""
        body: Body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
        }
        return body if data is None else {**body, "data": dict(data)}

    def deployment(self, image: str | None = "web:1", **spec: Any) -> Body:
        """Return a Deployment of no replicas with one container."""
        container: Body = {"name": "web"} | ({"image": image} if image else {})
        labels = {"app": "web"}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                **spec,
            },
        }

    async def apply(
        self, body: Body, manager: str = "alice", *, force: bool = False, dry_run: bool = False, brief: bool = False
    ) -> Body:
        """Server-side apply a ConfigMap or a Deployment."""
        group = body["apiVersion"].rpartition("/")[0]
        return await self.cluster.apply(
            self.kind(body["kind"], group), body, field_manager=manager, force=force, dry_run=dry_run, brief=brief
        )

    async def get(self, name: str = "settings") -> Body:
        """Read a ConfigMap."""
        return await self.cluster.get(self.config_maps, self.namespace, name)

    async def create_namespace(self) -> None:
        """Make the namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await self.cluster.create(self.kind("Namespace"), body)

    async def delete_namespace(self) -> None:
        """Take the namespace away."""
        body = await self.cluster.get(self.kind("Namespace"), "", self.namespace)
        await self.cluster.delete(self.kind("Namespace"), "", self.namespace, uid=body["metadata"]["uid"])


def owned(body: Body, manager: str, operation: str = "Apply") -> Body | None:
    """Return the `fieldsV1` of a manager's entry; None where it has none."""
    for entry in body["metadata"].get("managedFields") or ():
        if (entry["manager"], entry["operation"]) == (manager, operation):
            fields: Body = entry["fieldsV1"]
            return fields
    return None
