"""The local comparison against a real API server: it must never be too lax, and should hardly ever be too strict."""

from __future__ import annotations

import copy
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import yaml
from reconciler.cluster.kube import KubeCluster
from reconciler.errors import ClusterError
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.identity import ObjectId
from reconciler.model.origin import Source
from reconciler.observe import read
from reconciler.plan import cases, mark
from reconciler.plan.compare import unchanged
from tests.unit.plan.scene import NAME, environment_of, plain, wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reconciler.model.resource import Desired
    from reconciler.plan.cases import Case
    from reconciler.sandbox.control import Sandbox

pytestmark = pytest.mark.cluster

ZOO = Path(__file__).parents[2] / "golden" / "plans" / "zoo.yaml"
HARMLESS = "the server says that nothing would change"


@pytest.fixture
async def cluster(control_plane: Sandbox, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    """Return the sandbox's API server."""
    made = await KubeCluster.connect(kubeconfig=str(control_plane.kubeconfig), context=None, cache_dir=tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def applied(cluster: KubeCluster) -> AsyncIterator[list[Case]]:
    """Apply the zoo under names of its own and look at it; what would be in the way of other tests goes at the end."""
    desired = zoo(f"zoo{uuid.uuid4().hex[:6]}")
    waiting = [item for _, item in desired.resources]
    for _ in range(100):
        discovery = await cluster.discover()
        rest = []
        for item in waiting:
            served = discovery.resources.get(item.gvk)
            if served is None:
                rest.append(item)
                continue
            await cluster.apply(served, plain(item.body), field_manager=FIELD_MANAGER, force=True)
        waiting = rest
        if not waiting:
            break
    observation = await read.observe(cluster, desired, NAME)
    found = list(cases.study(desired, observation, environment_of({"components": [{"name": "zoo"}]}, {})))
    yield found
    for case in found:
        identity = case.resource.id
        if not identity.namespace and identity.kind not in ("Namespace", "CustomResourceDefinition"):
            assert case.served is not None
            assert case.live is not None
            await cluster.delete(case.served, "", identity.name, uid=case.live["metadata"]["uid"])


def zoo(prefix: str) -> Desired:
    """Return the zoo, marked, every name of it changed so that runs do not meet."""
    text = ZOO.read_text().replace("zoo", prefix)
    return mark.marked(wanted({"zoo": [body for body in yaml.parse(text, Source("zoo.yaml", "")) if body]}))


def mutations(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every entry of a value."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from mutations(value[key], (*path, key))


def without(body: Any, path: tuple[str | int, ...]) -> Any:
    """Return a copy without one entry."""
    left = copy.deepcopy(body)
    holder = left
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return left


async def test_what_was_applied_is_unchanged(applied: list[Case]) -> None:
    """No object of any common kind gives rise to a question after it was applied."""
    assert [str(case.resource.id) for case in applied if case.state is not cases.State.SAME] == []


async def test_each_removed_field_is_seen(applied: list[Case], cluster: KubeCluster) -> None:
    """Taking away any field that means something is seen; where it is not, the server agrees that nothing changes."""
    for case in applied:
        body = plain(case.resource.body)
        for path in mutations(body):
            if path[0] in ("apiVersion", "kind", "status") or path[:2] in (
                ("metadata", "name"),
                ("metadata", "namespace"),
            ):
                continue
            if path == ("metadata",):
                continue
            less = without(body, path)
            assert case.live is not None
            if unchanged(less, case.live, case.schema):
                assert await says_nothing_changes(cluster, case, less), (case.resource.id, path)


async def says_nothing_changes(cluster: KubeCluster, case: Case, body: Any) -> bool:
    """Ask the server whether applying an object would change any value of it."""
    assert case.served is not None
    assert case.live is not None
    try:
        answer = await cluster.apply(case.served, body, field_manager=FIELD_MANAGER, force=True, dry_run=True)
    except ClusterError:
        return False
    return bool(substance(answer) == substance(case.live))


def substance(body: Any) -> Any:
    """Return an object without its bookkeeping."""
    bookkeeping = ("managedFields", "resourceVersion", "generation")
    metadata = {key: value for key, value in body["metadata"].items() if key not in bookkeeping and value != {}}
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}


async def test_a_changed_value_is_seen(applied: list[Case]) -> None:
    """Every scalar that gets another value makes its object differ."""
    for case in applied:
        body = plain(case.resource.body)
        for path in mutations(body):
            if path[0] in ("apiVersion", "kind", "status") or path[:2] in (
                ("metadata", "name"),
                ("metadata", "namespace"),
            ):
                continue
            holder = changed = copy.deepcopy(body)
            for step in path[:-1]:
                holder = holder[step]
            value = holder[path[-1]]
            if value is None or isinstance(value, dict | list):
                continue
            holder[path[-1]] = (
                not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"
            )
            assert case.live is not None
            assert not unchanged(changed, case.live, case.schema), (case.resource.id, path)
            assert ObjectId.of(body) == case.resource.id
