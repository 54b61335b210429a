"""A scene for plans: what git wants, what was applied before, what others did, and the plan as a text picture.

A scene is one YAML document:

    environment: {components: [...], policy: {...}}     # spec of environment.yaml; the cluster is filled in
    before: {component: [objects]}                      # applied by us in an earlier run
    deeds: [{by: manager, apply|create|edit|delete: ...}]      # what others did then
    git: {component: [objects]}                         # what git wants now

Every namespace that is mentioned exists, but for `missing`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from reconciler import yaml
from reconciler.errors import ClusterError
from reconciler.model.applyset import Inventory, applyset_id, parent_body, parent_id
from reconciler.model.identity import ObjectId
from reconciler.model.observation import Prediction
from reconciler.model.origin import Source
from reconciler.model.plan import Action
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map, origin_at
from reconciler.observe import read
from reconciler.plan import graph, mark, planner, questions
from tests.fakes.cluster import FakeCluster
from tests.fakes.environments import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.environment import Environment
    from reconciler.model.observation import Observation
    from reconciler.model.plan import Change, FieldChange, Plan

NAME = "dev"


@dataclass(slots=True)
class Scene:
    """One environment on one fake cluster."""

    cluster: FakeCluster
    environment: Environment
    desired: Desired

    async def observation(self) -> Observation:
        """Read the cluster."""
        return await read.observe(self.cluster, mark.marked(self.desired), NAME)

    async def plan(self) -> Plan:
        """Run the flow of a plan: study, ask, decide."""
        desired = mark.marked(self.desired)
        edges = graph.build(desired, self.environment)
        observation = await self.observation()
        predictions: dict[ObjectId, Prediction] = {}
        for _ in range(3):
            for question in questions.questions(desired, observation, self.environment, predictions):
                predictions[question.id] = await self._ask(question.resource, question.body, force=question.force)
        return planner.make(desired, observation, self.environment, predictions, edges)

    async def asked(self) -> list[str]:
        """Return the objects that the server is asked about first."""
        found = questions.questions(mark.marked(self.desired), await self.observation(), self.environment, {})
        return [str(question.id) for question in found]

    async def apply(self, plan: Plan) -> None:
        """Carry out a plan in the simplest way, inventories included."""
        discovery = await self.cluster.discover()
        for change in plan.changes:
            if change.problem or change.action is Action.UNCHANGED:
                continue
            if change.resource is not None:
                await self.cluster.apply(
                    discovery.resources[change.resource.gvk],
                    plain(change.resource.body),
                    field_manager="reconciler",
                    force=change.force,
                )
            else:
                resource = discovery.preferred[change.id.group_kind]
                await self.cluster.delete(resource, change.id.namespace, change.id.name, uid=change.uid)
        for component, resources in self.desired.components.items():
            seed_inventory(self.cluster, component, [item.id for item in resources])

    async def _ask(self, resource: Any, body: Any, *, force: bool) -> Prediction:
        try:
            answer = await self.cluster.apply(
                resource, plain(body), field_manager="reconciler", force=force, dry_run=True
            )
        except ClusterError as error:
            return Prediction(error=error)
        return Prediction(answer)


def scene(text: str, file: str = "scene.yaml") -> Scene:
    """Set up a scene from its text."""
    (document,) = yaml.parse(text, Source(file, ""))
    environment = environment_of(document.get("environment") or {}, document)
    cluster = FakeCluster()
    before = wanted(document.get("before") or {}, file)
    for name in sorted(
        {item.id.namespace for _, item in (*before.resources, *_git(document, file).resources)} - {"", "missing"}
    ):
        cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "kubectl-create")
    for component, items in mark.marked(before).components.items():
        for item in items:
            cluster.seed_apply(plain(item.body))
        seed_inventory(cluster, component, [item.id for item in items])
    for deed in document.get("deeds") or ():
        _carry_out(cluster, deed)
    return Scene(cluster, environment, _git(document, file))


def wanted(components: Mapping[str, Sequence[Map]], file: str = "scene.yaml") -> Desired:
    """Return what git wants, from objects by component."""
    return Desired(
        NAME, None, {name: tuple(resource(body, file) for body in bodies) for name, bodies in components.items()}
    )


def resource(body: Map, file: str = "scene.yaml") -> Resource:
    """Return one wanted object; it begins where its apiVersion stands."""
    version = str(body["apiVersion"]).rpartition("/")[2]
    return Resource(ObjectId.of(body), version, body, origin_at(body, ("apiVersion",)))


def objects(text: str, file: str = "scene.yaml") -> list[Resource]:
    """Return wanted objects from YAML documents."""
    return [resource(body, file) for body in yaml.parse(text, Source(file, "")) if body]


def environment_of(spec: Mapping[str, Any], document: Mapping[str, Any]) -> Environment:
    """Return an environment; components that are not listed are taken from the scene."""
    names = dict.fromkeys([*(document.get("git") or {}), *(document.get("before") or {})])
    components = spec.get("components") or [{"name": name} for name in names]
    return environment(
        NAME,
        {
            "cluster": {"sandbox": True},
            "components": [{"path": item["name"], **item} for item in components],
            "policy": spec.get("policy") or {},
        },
    )


def picture(plan: Plan) -> str:
    """Return a plan as text: a line for each change that does something, its fields, the refusals."""
    lines: list[str] = []
    for change in plan.changes:
        if change.action is not Action.UNCHANGED or change.problem or change.notes:
            lines += _drawn(change)
    lines += [f"kept {item.component}: {item.id} ({item.reason})" for item in plan.kept]
    lines += [f"refused {item.rule}: {item.message}" for item in plan.refusals]
    return "\n".join(lines) + "\n" if lines else "nothing to do\n"


def plain(value: Any) -> Any:
    """Return a value without origins, as it goes over the wire."""
    return orjson.loads(orjson.dumps(value))


def seed_inventory(cluster: FakeCluster, component: str, ids: Iterable[ObjectId]) -> None:
    """Write the parent of a component's ApplySet."""
    if cluster.find("Namespace", "", "reconciler-system") is None:
        cluster.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "reconciler-system"}}, "us")
    empty = Inventory(component, applyset_id(parent_id(NAME, component)), frozenset(), frozenset())
    cluster.seed_apply(parent_body(NAME, empty.union(ids)))


def _git(document: Mapping[str, Any], file: str) -> Desired:
    return wanted(document.get("git") or {}, file)


def _carry_out(cluster: FakeCluster, deed: Mapping[str, Any]) -> None:
    manager = deed["by"]
    if "apply" in deed:
        cluster.seed_apply(plain(deed["apply"]), manager, force=True)
    elif "delete" in deed:
        identity = ObjectId.of(deed["delete"])
        cluster.remove(identity.kind, identity.namespace, identity.name)
    elif "create" in deed:
        cluster.seed(plain(deed["create"]), manager)
    else:
        identity = ObjectId.of(deed["edit"])
        changes = {key: value for key, value in plain(deed["edit"]).items() if key != "metadata"}
        metadata = {
            key: value for key, value in plain(deed["edit"]["metadata"]).items() if key not in ("name", "namespace")
        }
        if metadata:
            changes["metadata"] = metadata
        cluster.edit(
            identity.kind,
            identity.namespace,
            identity.name,
            changes,
            manager=manager,
            subresource=deed.get("subresource", ""),
        )


def _drawn(change: Change) -> list[str]:
    flags = [f"from {change.moved_from}"] if change.moved_from else []
    flags += ["forced"] if change.force else []
    merged = change.takeover.merged if change.takeover is not None else ()
    flags += [f"taking over {', '.join(item.manager for item in merged)}"] if merged else []
    lines = [f"{change.action} {change.component}: {change.id}" + (f" ({'; '.join(flags)})" if flags else "")]
    lines += [f"  note: {note}" for note in change.notes]
    lines += [_drawn_field(item) for item in change.fields]
    lines += [
        f"  conflict {item.path}: ours {item.ours!r}, theirs {item.theirs!r} of {item.manager} at {item.origin}"
        for item in change.conflicts
    ]
    return lines + ([f"  problem: {change.problem}"] if change.problem else [])


def _drawn_field(item: FieldChange) -> str:
    values = {"add": f"{item.new!r}", "remove": f"{item.old!r}", "replace": f"{item.old!r} -> {item.new!r}"}[item.op]
    who = f" drift by {item.manager}" if item.drift else f" set by {item.manager}" if item.manager else ""
    return f"  {item.op} {item.path}: {values}" + (f" at {item.origin}" if item.origin else "") + who


def run(text: str, file: str = "scene.yaml") -> tuple[Scene, Plan]:
    """Set up a scene and make its plan."""
    made = scene(text, file)
    return made, asyncio.run(made.plan())
