"""The first look at every wanted object: absent, the same, different, or not to be touched. No request is needed.

Questions and the plan both start from here; a caller that wants both studies once and passes the cases on.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from reconciler.model.harbor import pending
from reconciler.model.identity import GroupKind, GroupVersionKind
from reconciler.model.marks import DISABLED, RECONCILE
from reconciler.plan.compare import unchanged
from reconciler.plan.conflicts import settle
from reconciler.plan.ignore import Ignored, yielded
from reconciler.plan.openapi import Schemas
from reconciler.plan.ownership import OURS, Owners, Standing

if TYPE_CHECKING:
    from reconciler.environment import Environment
    from reconciler.model.api import ApiResource
    from reconciler.model.observation import Observation
    from reconciler.model.plan import FieldConflict
    from reconciler.model.resource import Desired, Resource
    from reconciler.model.schema import Schema
    from reconciler.plan.conflicts import Clash

DEFINITION = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


class State(StrEnum):
    """What the first look says of one wanted object."""

    ABSENT = "absent"  # to be created
    SAME = "same"  # nothing to do, and nothing to ask
    DIFFERENT = "different"  # the server is to be asked
    LEFT = "left"  # exists, and git says to leave it alone
    FOREIGN = "foreign"  # somebody else's, and the policy does not let us take it
    BROKEN = "broken"  # cannot be applied; `problem` says why


@dataclass(frozen=True, slots=True)
class Case:
    """One wanted object beside its live one.

    `resource` is as it would be sent: ignored fields are left to others, and those in `yielded` to their managers. `force` and
    `refused` say of the rest what the policy lets us win (`conflicts.Settlement`).
    `coming` is the schema of its kind from git where the same plan changes the definition of a kind that is served: what the
    server says of the object now it says by the old one.
    """

    component: str
    resource: Resource
    state: State
    schema: Schema
    live: dict[str, Any] | None = None
    served: ApiResource | None = None
    standing: Standing = OURS
    yielded: tuple[Clash, ...] = ()
    force: bool = False
    refused: tuple[FieldConflict, ...] = ()
    problem: str = ""
    coming: Schema | None = None


def study(desired: Desired, observation: Observation, environment: Environment) -> tuple[Case, ...]:
    """Look at every wanted object, in the order of the desired components."""
    look = _Look(desired, observation, environment)
    return tuple(look.at(component, resource) for component, resource in desired.resources)


class _Look:
    """What is the same for all objects of one study."""

    def __init__(self, desired: Desired, observation: Observation, environment: Environment) -> None:
        resources = [resource for _, resource in desired.resources]
        definitions = tuple(item.body for item in resources if item.id.group_kind == DEFINITION)
        self._schemas = Schemas(observation.openapi, definitions)
        self._scopes = {_defines(body): body["spec"].get("scope") for body in definitions if "spec" in body}
        self._definitions = {
            _defines(item.body): (component, item)
            for component, item in desired.resources
            if item.id.group_kind == DEFINITION and "spec" in item.body
        }
        self._changing: dict[GroupKind, bool] = {}
        self._namespaces = observation.namespaces | {
            item.id.name for item in resources if item.id.group_kind == ("", "Namespace")
        }
        self._ignored = Ignored(environment.policy.ignore, resources)
        self._owners = Owners(environment, observation)
        self._policy = environment.policy
        self._observation = observation

    def at(self, component: str, resource: Resource) -> Case:
        """Look at one object."""
        gvk = resource.gvk
        served = self._observation.discovery.resources.get(gvk)
        live = self._observation.live.get(resource.id)
        state = State.ABSENT if live is None else State.SAME  # until something else is found
        schema = self._schemas.of(gvk)
        if served is not None and not served.status_apart and "status" in resource.body:
            schema = replace(schema, status_apart=False)
        case = Case(component, resource, state, schema, live, served)
        problem = self._unfit(resource, served)
        if problem:
            return replace(case, state=State.BROKEN, problem=problem)
        return self._absent(case) if live is None else self._present(case, live)

    def _absent(self, case: Case) -> Case:
        namespace = case.resource.id.namespace
        if namespace and self._observation.namespaces and namespace not in self._namespaces:
            problem = f"namespace {namespace} does not exist and git does not create it: add a Namespace, or correct metadata.namespace"
            return replace(case, state=State.BROKEN, problem=problem)
        return self._with_coming(case)

    def _with_coming(self, case: Case) -> Case:
        """Add the schema that the kind will have, where the same plan changes its definition."""
        gvk = case.resource.gvk
        if case.served is None or gvk.group_kind not in self._definitions:
            return case
        return replace(case, coming=self._schemas.defined(gvk)) if self._changes(gvk.group_kind) else case

    def _changes(self, kind: GroupKind) -> bool:
        """Whether the definition of a served kind is to be changed."""
        if kind not in self._changing:
            self._changing[kind] = self.at(*self._definitions[kind]).state is State.DIFFERENT
        return self._changing[kind]

    def _present(self, case: Case, live: dict[str, Any]) -> Case:
        if case.resource.annotations.get(RECONCILE) == DISABLED:
            return replace(case, state=State.LEFT)
        standing = self._owners.standing(live, case.component)
        if standing is not OURS:
            case = replace(case, standing=standing)
        if standing.owner and standing.owner not in self._policy.adopt:
            return replace(case, state=State.FOREIGN)
        if "deletionTimestamp" in live["metadata"]:
            holders = ", ".join(live["metadata"].get("finalizers") or ()) or "its grace period"
            problem = f"is being deleted and waits for {holders}: apply again when it is gone"
            return replace(case, state=State.BROKEN, problem=problem)
        paths = self._ignored.paths(case.resource.id)
        if paths:
            case = replace(case, resource=replace(case.resource, body=yielded(case.resource.body, live, paths)))
        if standing.owner or standing.moved_from or pending(live):
            return self._with_coming(replace(self._settled(case, live), state=State.DIFFERENT))
        if unchanged(case.resource.body, live, case.schema):
            return case
        case = self._settled(case, live)
        same = bool(case.yielded) and unchanged(case.resource.body, live, case.schema)
        return case if same else self._with_coming(replace(case, state=State.DIFFERENT))

    def _settled(self, case: Case, live: dict[str, Any]) -> Case:
        """Judge what others own, and leave out what the policy leaves to them."""
        found = settle(case.resource, live, case.schema, self._policy, taken=case.standing.managers)
        resource = replace(case.resource, body=found.body)
        return replace(case, resource=resource, yielded=found.yielded, force=found.force, refused=found.refused)

    def _unfit(self, resource: Resource, served: ApiResource | None) -> str:
        """Return why an object can in no case be sent: its kind is not known, or its scope is wrong."""
        gvk = resource.gvk
        if served is None and gvk.group_kind not in self._scopes:
            return self._unknown(gvk)
        namespaced = served.namespaced if served is not None else self._scopes[gvk.group_kind] != "Cluster"
        if served is not None and self._scopes.get(gvk.group_kind, "") == ("Cluster" if namespaced else "Namespaced"):
            return (
                f"git's definition of {gvk.kind} has another scope than the cluster's, and is taken only where no object of "
                "the kind is left: apply the definition without its objects first"
            )
        if namespaced and not resource.id.namespace:
            return "has no namespace: set metadata.namespace, or namespace in its kustomization"
        if not namespaced and resource.id.namespace:
            return (
                f"has namespace {resource.id.namespace}, but {gvk.kind} is cluster-scoped: take metadata.namespace out"
            )
        return ""

    def _unknown(self, gvk: GroupVersionKind) -> str:
        discovery = self._observation.discovery
        if gvk.api_version in discovery.failed:
            return f"the server did not answer for {gvk.api_version}: look at its APIService"
        known = discovery.preferred.get(gvk.group_kind)
        if known is not None:
            return f"the server has {gvk.kind} as {known.gvk.api_version}, not as {gvk.api_version}"
        kinds = {item.kind: item.api_version for item in discovery.resources}
        near = difflib.get_close_matches(gvk.kind, kinds, 1, 0.75)
        meant = f" (did you mean {near[0]} of {kinds[near[0]]}?)" if near else ""
        return f"unknown kind {gvk.kind} of {gvk.api_version}{meant}: correct it, or add its CustomResourceDefinition"


def _defines(body: Any) -> GroupKind:
    spec = body["spec"]
    return GroupKind(spec.get("group", ""), (spec.get("names") or {}).get("kind", ""))
