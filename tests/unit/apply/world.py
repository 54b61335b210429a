"""A small world to run plans in: components as YAML text, FakeCluster, a clock that only waits when nothing else can go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.apply import run
from reconciler.model.applyset import ENVIRONMENT_LABEL
from reconciler.model.identity import GroupVersionKind, ObjectId
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map
from reconciler.observe import predict, read
from reconciler.observe.memory import Memory
from reconciler.plan import graph, mark, planner, questions
from tests.fakes.cluster import FakeCluster
from tests.fakes.environments import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Cluster
    from reconciler.environment import Environment
    from reconciler.model.observation import Observation, Prediction
    from reconciler.model.outcome import Event, Report
    from reconciler.model.plan import Plan

    Settings = Mapping[str, Mapping[str, Any]]

IDLE_ROUNDS = 40


class PatientClock:
    """Time that stands still while anything else is under way, then jumps to the next sleeper's end."""

    def __init__(self) -> None:
        """Begin at second 0."""
        self.seconds = 0.0
        self._sleepers: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        return self.seconds

    def now(self) -> datetime:
        """Return a time of day that goes with them."""
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait until everybody else waits for a later time."""
        end = self.seconds + seconds
        self._sleepers.append(end)
        try:
            idle = 0
            while idle < IDLE_ROUNDS and self.seconds < end:
                await asyncio.sleep(0)
                idle = idle + 1 if end <= min(self._sleepers) else 0
        finally:
            self._sleepers.remove(end)
        self.seconds = max(self.seconds, end)


@dataclass(slots=True)
class World:
    """Git on one side, a cluster on the other."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    clock: PatientClock = field(default_factory=PatientClock)
    events: list[Event] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "dev"

    policy: Mapping[str, Any] | None = None

    async def plan(self, components: Mapping[str, str], settings: Settings | None = None) -> Plan:
        """Plan what applying these components (YAML by name) would do; `settings` are keys of their components."""
        return (await planned(self.cluster, self.name, components, settings or {}, self.policy)).plan

    async def apply(
        self,
        components: Mapping[str, str],
        settings: Settings | None = None,
        *,
        wait: bool = True,
        give_way: asyncio.Event | None = None,
    ) -> Report:
        """Plan and apply."""
        made = await planned(self.cluster, self.name, components, settings or {}, self.policy)
        return await self.carry_out(made, wait=wait, give_way=give_way)

    async def carry_out(self, made: Planned, *, wait: bool = True, give_way: asyncio.Event | None = None) -> Report:
        """Apply what was planned."""
        self.events.clear()
        return await run.apply(
            self.cluster,
            made.plan,
            made.environment,
            made.observation.discovery,
            clock=self.clock,
            stop=self.stop,
            emit=self.events.append,
            options=run.Options(wait, give_way=give_way),
        )

    def members(self) -> set[str]:
        """Return `Kind/name` of every object that carries the environment's label, inventory parents aside."""
        return {
            f"{body['kind']}/{body['metadata']['name']}"
            for resource, _ in self.cluster.store.resources()
            for body in self.cluster.store.select(resource, "", f"{ENVIRONMENT_LABEL}={self.name}")
            if body["metadata"].get("namespace") != "reconciler-system"
        }


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from."""

    plan: Plan
    environment: Environment
    observation: Observation


async def planned(
    cluster: Cluster,
    name: str,
    components: Mapping[str, str],
    settings: Settings,
    policy: Mapping[str, Any] | None = None,
) -> Planned:
    """Plan what applying these components (YAML by name) would do, as a run of the command line does."""
    environment = described(name, components, settings, policy)
    desired = mark.marked(Desired(name, None, {part: resources(text) for part, text in components.items()}))
    edges = graph.build(desired, environment)
    observation = await read.observe(cluster, desired, name)
    predictions: dict[ObjectId, Prediction] = {}
    while asked := questions.questions(desired, observation, environment, predictions):
        predictions |= await predict.ask(cluster, asked, Memory(None, {}))
    plan = planner.make(desired, observation, environment, predictions, edges)
    return Planned(plan, environment, observation)


def described(
    name: str, components: Mapping[str, str], settings: Settings, policy: Mapping[str, Any] | None = None
) -> Environment:
    """Return an environment of these components that lets everything be deleted, unless its policy says otherwise."""
    listed = [{"name": part, "path": part, **settings.get(part, {})} for part in components]
    return environment(name, {"cluster": {"sandbox": True}, "components": listed, "policy": policy or FREE})


FREE: Mapping[str, Any] = {"deletions": {"max": 10_000, "protect": []}}
WRITES = ("apply", "create", "update", "patch", "delete")


def resources(text: str) -> tuple[Resource, ...]:
    """Return the objects of a YAML text."""
    bodies = (_tree(body) for body in yaml.safe_load_all(text) if body)
    return tuple(Resource(ObjectId.of(body), GroupVersionKind.of(body).version, body) for body in bodies)


def writes(cluster: FakeCluster) -> list[tuple[str, str, str]]:
    """Return every write so far as verb, kind and name."""
    return [(call.verb, call.kind, call.name) for call in cluster.calls if call.verb in WRITES]


def config_map(name: str, namespace: str = "shop", needs: str = "", **data: str) -> str:
    """Return a ConfigMap, made to need another one where wanted."""
    marks = {"reconciler.dev/depends-on": f"ConfigMap/{namespace}/{needs}"} if needs else {}
    metadata = {"name": name, "namespace": namespace, "annotations": marks}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}) + "---\n"


def namespace(name: str = "shop") -> str:
    """Return a Namespace."""
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n"


def deployment(name: str, namespace: str = "shop", *, replicas: int = 1, image: str = "web:1", claim: str = "") -> str:
    """Return a Deployment; one that uses a claim where wanted."""
    containers = {"containers": [{"name": "main", "image": image}]}
    volumes = {"volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}]} if claim else {}
    pod = {"metadata": {"labels": {"app": name}}, "spec": containers | volumes}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": pod}
    metadata = {"name": name, "namespace": namespace}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}) + "---\n"


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return Map((key, _tree(item)) for key, item in value.items())
    return [_tree(item) for item in value] if isinstance(value, list) else value


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
"""
WIDGET = """
apiVersion: example.com/v1
kind: Widget
metadata: {name: gear, namespace: shop}
spec: {size: 3}
---
"""
