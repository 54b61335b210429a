"""Reading what the checks look at; what cannot be read is told and stops nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ClusterError
from reconciler.model.api import ApiResource
from reconciler.model.preflight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.cluster.port import Body, Cluster

NODES: Final = ApiResource("", "v1", "Node", "nodes", namespaced=False)
PODS: Final = ApiResource("", "v1", "Pod", "pods", namespaced=True)
BUDGETS: Final = ApiResource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", namespaced=True)
METRIC: Final = "apiserver_requested_deprecated_apis{"
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


async def glance(cluster: Cluster) -> Sight:
    """Return what drift is judged by: version, groups and nodes; raises ClusterError."""
    version = await cluster.version()
    served = frozenset(kind.api_version for kind in (await cluster.discover()).resources)
    return Sight(version, served, [item async for item in cluster.list(NODES)], (), (), ())


async def read(cluster: Cluster, *, kubelets: bool) -> Sight:
    """Return what there is; raises ClusterError where not even version and nodes can be read.

    With `kubelets` each node is asked for what its kubelet runs with: one request a node.
    """
    seen = await glance(cluster)
    unread: list[str] = []
    budgets = await _listed(cluster, BUDGETS, unread)
    pods = await _listed(cluster, PODS, unread)
    try:
        deprecated = tuple(_deprecated(await cluster.metrics()))
    except ClusterError as error:
        unread.append(f"metrics of the API server, which say what deprecated APIs are in use: {error}")
        deprecated = ()
    settings = await _settings(cluster, seen.nodes, unread) if kubelets else {}
    return replace(seen, budgets=budgets, pods=pods, deprecated=deprecated, settings=settings, unread=tuple(unread))


async def _settings(cluster: Cluster, nodes: Sequence[Mapping[str, Any]], unread: list[str]) -> dict[str, Body]:
    found: dict[str, Body] = {}
    for name in (str(node["metadata"]["name"]) for node in nodes):
        try:
            found[name] = await cluster.kubelet_settings(name)
        except ClusterError as error:
            unread.append(f"settings of the kubelet of Node/{name}: {error}")
    return found


async def _listed(cluster: Cluster, resource: ApiResource, unread: list[str]) -> list[Body]:
    try:
        return [item async for item in cluster.list(resource)]
    except ClusterError as error:
        unread.append(f"{resource.plural}: {error}")
        return []


def _deprecated(metrics: str) -> Iterator[dict[str, str]]:
    for line in metrics.splitlines():
        if line.startswith(METRIC):
            yield dict(_LABEL.findall(line))
