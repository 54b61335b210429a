"""One look at the cluster: what is served, what we own, what git wants and is there already.

A run that changes nothing sends discovery, the OpenAPI index and one LIST per kind. Only what those lists do not hold
is looked for on its own. A request that failed is an error, never "nothing there".
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import ClusterError, Forbidden, NotFound, Unavailable, UnsafePlan
from reconciler.model.api import ApiResource
from reconciler.model.applyset import (
    ENVIRONMENT_LABEL,
    ID_LABEL,
    PART_OF_LABEL,
    SYSTEM_NAMESPACE,
    Inventory,
    foreign,
    parent_id,
    read_parent,
)
from reconciler.model.harbor import is_declared
from reconciler.model.identity import GroupKind, ObjectId
from reconciler.model.managers import is_applied
from reconciler.model.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Container, Iterable, Mapping, Sequence

    from reconciler.cluster.port import Cluster
    from reconciler.model.api import Discovery
    from reconciler.model.resource import Desired, Resource

CONFIG_MAPS: Final = ApiResource("", "v1", "ConfigMap", "configmaps", namespaced=True)
NAMESPACES: Final = ApiResource("", "v1", "Namespace", "namespaces", namespaced=False)
FEW: Final = 3  # so many missing objects of a kind in a namespace are read one by one

Live = dict[ObjectId, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Begun:
    """A look at the cluster that began before it was known what git wants: the kinds of the inventories are on their way."""

    discovery: Discovery
    config_maps: Live
    lists: Mapping[ApiResource, asyncio.Task[Live]]

    async def cancel(self) -> None:
        """Give up what is still on its way."""
        for task in self.lists.values():
            task.cancel()
        await asyncio.gather(*self.lists.values(), return_exceptions=True)


async def begin(cluster: Cluster, environment: str) -> Begun:
    """Begin to read what an environment owns; the answers come while it is rendered. Raises ClusterError."""
    selector = f"{ENVIRONMENT_LABEL}={environment}"
    discovery, config_maps = await asyncio.gather(cluster.discover(), _listed(cluster, CONFIG_MAPS, selector))
    owned = {kind for body in config_maps.values() if _is_parent(body) for kind in read_parent(body).group_kinds}
    versions = Counter(gvk.group_kind for gvk in discovery.resources)
    known = (discovery.preferred[kind] for kind in owned if versions[kind] == 1 and kind != CONFIG_MAPS.gvk.group_kind)
    lists = {resource: asyncio.create_task(_listed(cluster, resource, selector)) for resource in known}
    return Begun(discovery, config_maps, lists)


async def observe(cluster: Cluster, desired: Desired, environment: str, begun: Begun | None = None) -> Observation:
    """Read everything that a plan needs, going on from what was begun; raises ClusterError."""
    begun = begun or await begin(cluster, environment)
    try:
        return await _observed(cluster, desired, f"{ENVIRONMENT_LABEL}={environment}", begun)
    finally:
        await begun.cancel()


async def _observed(cluster: Cluster, desired: Desired, selector: str, begun: Begun) -> Observation:
    discovery, config_maps = begun.discovery, begun.config_maps
    parents = [body for body in config_maps.values() if _is_parent(body)]
    _refuse_foreign(parents)
    inventories = {found.component: found for found in map(read_parent, parents)}
    new = [name for name, items in desired.components.items() if items and name not in inventories]
    if new:
        _refuse_foreign(await _taken(cluster, desired.environment, new))
    live = {identity: body for identity, body in config_maps.items() if not _is_parent(body)}
    wanted = {item.id: item for _, item in desired.resources}
    _refuse_unknown(wanted.values(), inventories.values(), discovery)
    resources = _resources(wanted.values(), inventories.values(), discovery)
    served = {resource.gvk.api_version for resource in resources}
    others = [resource for resource in resources if resource.gvk != CONFIG_MAPS.gvk]
    lists, documents = await asyncio.gather(
        _all(begun.lists.get(resource) or _listed(cluster, resource, selector) for resource in others),
        cluster.openapi(sorted(served & {item.gvk.api_version for item in wanted.values()})),
    )
    for found in lists:
        _merge(live, found, wanted)
    if _lost(live.values(), inventories.values()):
        listed_kinds = {resource.gvk.group_kind for resource in (CONFIG_MAPS, *resources)}
        for found in await _elsewhere(cluster, selector, discovery, listed_kinds):
            _merge(live, found, wanted)
    namespaces = await _adopt_unlabelled(cluster, wanted, discovery, live)
    return Observation(
        discovery,
        live,
        inventories,
        namespaces,
        documents,
        frozenset(item.gvk.group_kind for item in wanted.values() if item.gvk not in discovery.resources),
    )


def _lost(bodies: Iterable[Mapping[str, Any]], inventories: Iterable[Inventory]) -> bool:
    """Whether we have applied members of a set whose inventory is gone: nobody knows of which kinds it has others."""
    known = {"", *(inventory.set_id for inventory in inventories)}
    return any(
        (body["metadata"].get("labels") or {}).get(PART_OF_LABEL, "") not in known and is_applied(body)
        for body in bodies
    )


async def _elsewhere(
    cluster: Cluster, selector: str, discovery: Discovery, known: Container[GroupKind]
) -> Sequence[Live]:
    """Read what we own of every other kind. What cannot be read is left out: with an inventory it would not be asked for."""

    async def look(resource: ApiResource) -> Live:
        try:
            return await _listed(cluster, resource, selector)
        except ClusterError:
            return {}

    appliable = (item for item in discovery.preferred.values() if item.verbs >= {"list", "patch"})
    kinds = [item for item in appliable if item.gvk.group_kind not in known]
    return await asyncio.gather(*map(look, kinds))


async def _taken(cluster: Cluster, environment: str, components: Iterable[str]) -> list[dict[str, Any]]:
    """Return the parents of ApplySets that are where components without an inventory will have theirs."""
    names = {parent_id(environment, name).name for name in components}
    listed = cluster.list(CONFIG_MAPS, namespace=SYSTEM_NAMESPACE, selector=ID_LABEL, metadata_only=True)
    return [body async for body in listed if body["metadata"]["name"] in names]


def _refuse_foreign(parents: Iterable[Mapping[str, Any]]) -> None:
    """Raise UnsafePlan where an inventory is not ours: what it says of its members may not be believed."""
    told = [
        f"ConfigMap/{body['metadata']['name']} -n {SYSTEM_NAMESPACE}: {why}"
        for body in parents
        if (why := foreign(body))
    ]
    if told:
        raise UnsafePlan(
            f"an inventory of this environment is not of our making: {'; '.join(told)}. "
            "Nothing was written: put it right, or delete the ConfigMap, and the next apply makes it again; or give the "
            "component another name, where another tool needs it"
        )


async def cluster_uid(cluster: Cluster) -> str:
    """Return what tells a cluster from every other, the uid of its namespace kube-system; "" where it may not be read."""
    try:
        body = await cluster.get(NAMESPACES, "", "kube-system")
    except (Forbidden, NotFound):
        return ""
    uid: str = body["metadata"]["uid"]
    return uid


def _resources(
    wanted: Iterable[Resource], inventories: Iterable[Inventory], discovery: Discovery
) -> tuple[ApiResource, ...]:
    """Return what has to be listed: the versions that git wants, and every other kind that may hold members."""
    found: dict[ApiResource, None] = {}
    kinds: set[GroupKind] = set()
    for item in wanted:
        resource = discovery.resources.get(item.gvk)
        if resource is not None:
            found[resource] = None
            kinds.add(item.gvk.group_kind)
    for inventory in inventories:
        for kind in inventory.group_kinds - kinds:
            resource = discovery.preferred.get(kind)
            if resource is not None:
                found[resource] = None
    return tuple(found)


def _refuse_unknown(wanted: Iterable[Resource], inventories: Iterable[Inventory], discovery: Discovery) -> None:
    """Raise Unavailable where a backend did not say what it serves: its kinds are unknown, not absent."""
    if not discovery.failed:
        return
    silent = set(discovery.failed)
    groups = {name.partition("/")[0] for name in silent}
    asked = {str(item.id) for item in wanted if item.gvk.api_version in silent} | {
        f"the inventory of {inventory.component}"
        for inventory in inventories
        if any(kind.group in groups and kind not in discovery.preferred for kind in inventory.group_kinds)
    }
    if asked:
        raise Unavailable(
            f"the server does not know at present what {', '.join(sorted(silent))} serves, and {', '.join(sorted(asked))} "
            "needs it: look at the APIService and the backend behind it"
        )


async def _all(reads: Iterable[Awaitable[Live]]) -> list[Live]:
    """Wait for all reads; where some are forbidden, one error names every right that is missing."""
    answers = await asyncio.gather(*reads, return_exceptions=True)
    found = [answer for answer in answers if not isinstance(answer, BaseException)]
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    if errors and all(isinstance(error, Forbidden) for error in errors):
        raise Forbidden("\n".join(sorted({str(error) for error in errors})), status=403, reason="Forbidden")
    for error in errors:
        raise error
    return found


def _is_parent(body: Mapping[str, Any]) -> bool:
    metadata = body["metadata"]
    return metadata["namespace"] == SYSTEM_NAMESPACE and ID_LABEL in (metadata.get("labels") or {})


async def _listed(cluster: Cluster, resource: ApiResource, selector: str) -> Live:
    return {ObjectId.of(body): body async for body in cluster.list(resource, selector=selector)}


def _merge(live: Live, found: Live, wanted: Mapping[ObjectId, Resource]) -> None:
    """Add a list to what is known; where a kind was listed in two versions the one that git wants stays."""
    for identity, body in found.items():
        item = wanted.get(identity)
        if identity not in live or item is None or body["apiVersion"] == item.gvk.api_version:
            live[identity] = body


async def _adopt_unlabelled(
    cluster: Cluster, wanted: Mapping[ObjectId, Resource], discovery: Discovery, live: Live
) -> frozenset[str]:
    """Find wanted objects that exist without our label; return the namespaces that exist."""
    missing = [
        (discovery.resources[item.gvk], identity)
        for identity, item in wanted.items()
        if identity not in live and item.gvk in discovery.resources
    ]
    if not missing:
        named = {identity.name for identity in live if identity.group_kind == ("", "Namespace")}
        return frozenset(named | {identity.namespace for identity in live if identity.namespace})
    bare = [body async for body in cluster.list(NAMESPACES, metadata_only=True)]
    namespaces = frozenset(body["metadata"]["name"] for body in bare)
    groups: dict[tuple[ApiResource, str], list[ObjectId]] = defaultdict(list)
    for resource, identity in missing:
        if resource.namespaced and identity.namespace not in namespaces:
            continue
        groups[resource, identity.namespace].append(identity)
    for found in await asyncio.gather(*(_looked_for(cluster, *key, identities) for key, identities in groups.items())):
        live.update(found)
    return namespaces


async def _looked_for(cluster: Cluster, resource: ApiResource, namespace: str, identities: list[ObjectId]) -> Live:
    """Read those of some objects that exist."""
    if len(identities) > FEW and not is_declared(resource.group, resource.kind):  # what only Harbor has is in no list
        listed = cluster.list(resource, namespace=namespace, metadata_only=True)
        there = {body["metadata"]["name"] async for body in listed}
        identities = [identity for identity in identities if identity.name in there]
    bodies = await asyncio.gather(*(_got(cluster, resource, identity) for identity in identities))
    return {ObjectId.of(body): body for body in bodies if body is not None}


async def _got(cluster: Cluster, resource: ApiResource, identity: ObjectId) -> dict[str, Any] | None:
    try:
        return await cluster.get(resource, identity.namespace, identity.name)
    except NotFound:
        return None
