"""Record the kinds that FakeCluster serves from a real API server: `python -m tests.fakes.record_kinds KUBECONFIG`.

Writes `kinds.json`: the resources, and the OpenAPI v3 schemas that they reach, without descriptions.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from reconciler.cluster.kube import KubeCluster

KINDS = """
v1: ConfigMap Secret Service ServiceAccount Namespace PersistentVolumeClaim Pod Event
apps/v1: Deployment StatefulSet DaemonSet ReplicaSet
batch/v1: Job CronJob
rbac.authorization.k8s.io/v1: Role RoleBinding ClusterRole ClusterRoleBinding
networking.k8s.io/v1: Ingress NetworkPolicy
storage.k8s.io/v1: StorageClass
policy/v1: PodDisruptionBudget
autoscaling/v2: HorizontalPodAutoscaler
scheduling.k8s.io/v1: PriorityClass
coordination.k8s.io/v1: Lease
apiextensions.k8s.io/v1: CustomResourceDefinition
apiregistration.k8s.io/v1: APIService
admissionregistration.k8s.io/v1: ValidatingWebhookConfiguration MutatingWebhookConfiguration
"""
WANTED = {line.partition(": ")[0]: set(line.partition(": ")[2].split()) for line in KINDS.split("\n") if line}
DROPPED = ("description", "externalDocs", "x-kubernetes-unions")


def bare(node: Any) -> Any:
    """Return a schema without the texts meant for people; a property may well be called `description`."""
    if isinstance(node, dict):
        return {
            key: {name: bare(item) for name, item in value.items()} if key == "properties" else bare(value)
            for key, value in node.items()
            if key not in DROPPED
        }
    return [bare(item) for item in node] if isinstance(node, list) else node


def served(schema: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the apiVersions and kinds that a schema stands for."""
    return {
        (f"{item['group']}/{item['version']}" if item["group"] else item["version"], item["kind"])
        for item in schema.get("x-kubernetes-group-version-kind", ())
    }


async def recorded(kubeconfig: str) -> str:
    """Read one API server and return the file's text."""
    cluster = await KubeCluster.connect(kubeconfig=kubeconfig, context=None, cache_dir=Path(tempfile.mkdtemp()))
    try:
        discovery, documents = await cluster.discover(), await cluster.openapi(WANTED)
    finally:
        await cluster.close()
    everything = {
        key: value for document in documents.values() for key, value in document["components"]["schemas"].items()
    }
    wanted = {(version, kind) for version, kinds in WANTED.items() for kind in kinds}
    kept: dict[str, Any] = {}
    pending = [key for key, schema in everything.items() if served(schema) & wanted]
    while pending:
        key = pending.pop()
        if key not in kept:
            kept[key] = bare(everything[key])
            pending.extend(re.findall(r"#/components/schemas/([^\"]+)\"", json.dumps(kept[key])))
    resources = [
        [item.group, item.version, item.kind, item.plural, item.namespaced]
        for item in discovery.resources.values()
        if (item.gvk.api_version, item.kind) in wanted
    ]
    text = json.dumps({"resources": sorted(resources), "schemas": kept}, sort_keys=True, separators=(",", ":"))
    return text.replace('},"io.k8s', '},\n"io.k8s') + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("kinds.json").write_text(asyncio.run(recorded(sys.argv[1])))
