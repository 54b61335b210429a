"""Whose an existing object is: ours, a moved one of ours, or somebody else's that may or may not be taken over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import (
    ENVIRONMENT_LABEL,
    PART_OF_LABEL,
    applyset_id,
    parent_id,
)
from reconciler.model.harbor import unclaimed
from reconciler.model.managers import CONTROL_PLANE
from reconciler.plan.managed import entries, own_fields
from reconciler.plan.takeover import MANAGED_BY, MANAGERS, tool_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.environment import Environment
    from reconciler.model.observation import Observation


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a live object is.

    `owner` is "" where it is ours, else who has it: one of the names of `policy.adopt`, or words for somebody else.
    `moved_from` names the component of ours that it was in. `managers` are the field managers whose values are not
    conflicts at adoption.
    """

    owner: str = ""
    moved_from: str = ""
    managers: tuple[str, ...] = ()
    hint: str = ""


OURS: Final = Standing()
"""An object of the component that wants it."""


class Owners:
    """The ApplySets of one environment, by id."""

    def __init__(self, environment: Environment, observation: Observation) -> None:
        """Collect the sets of the listed components and of those that still have an inventory."""
        names = [component.name for component in environment.spec.components]
        self._environment = environment.name
        self.component_of = {item.set_id: item.component for item in observation.inventories.values()}
        self.component_of |= {applyset_id(parent_id(environment.name, name)): name for name in names}

    def component(self, live: Mapping[str, Any]) -> str:
        """Return the component whose member a live object says it is; "" where it is of no component of ours."""
        labels = live["metadata"].get("labels") or {}
        return self.component_of.get(labels.get(PART_OF_LABEL, ""), "")

    def standing(self, live: Mapping[str, Any], component: str) -> Standing:
        """Tell whose an object is that a component wants."""
        metadata = live["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        if unclaimed(live):
            hint = "take it out of git, or add harbor to policy.adopt in environment.yaml"
            return Standing("harbor", hint=f"Harbor has it ({unclaimed(live)}), not of our making; {hint}")
        controller = next((item for item in metadata.get("ownerReferences") or () if item.get("controller")), None)
        if controller is not None:
            name = f"{controller.get('kind')}/{controller.get('name')}"
            return Standing(f"its controller {name}", hint=f"take it out of git: {name} makes it")
        current = self.component(live)
        if current:
            return OURS if current == component else Standing(moved_from=current)
        other = labels.get(ENVIRONMENT_LABEL)
        if other and other != self._environment:
            hint = (
                f"take it out of one of the environments {other} and {self._environment}, "
                f"or add environment:{other} to policy.adopt in environment.yaml"
            )
            return Standing(f"environment:{other}", hint=hint)
        owner = _marked(labels, annotations)
        if not owner and own_fields(live) is not None:
            return OURS
        return self._foreign(live, owner or _writer(live), component)

    def _foreign(self, live: Mapping[str, Any], owner: str, component: str) -> Standing:
        known = MANAGERS.get(owner)
        if known is None:
            label = f"{PART_OF_LABEL}={applyset_id(parent_id(self._environment, component))}"
            return Standing(
                owner, hint=f"take it out of git, or hand it over with: kubectl label {_words(live)} {label}"
            )
        hint = f"take it out of git, or add {owner} to policy.adopt in environment.yaml"
        found = [entry for entry in entries(live) if entry.manager in known and not entry.subresource]
        return Standing(owner, managers=tuple(dict.fromkeys(entry.manager for entry in found)), hint=hint)


def _words(live: Mapping[str, Any]) -> str:
    """Return an object as kubectl's arguments name it: by kind, version and group, for a kind may be of several groups."""
    group, _, version = str(live["apiVersion"]).rpartition("/")
    kind = f"{live['kind']}.{version}.{group}" if group else str(live["kind"])
    metadata = live["metadata"]
    return f"{kind} {metadata['name']}" + (f" -n {metadata['namespace']}" if metadata.get("namespace") else "")


def tool(live: Mapping[str, Any]) -> str:
    """Return the tool that has an object, as `policy.adopt` names it: by its marks, else by its field managers; "": none."""
    metadata = live["metadata"]
    owner = _marked(metadata.get("labels") or {}, metadata.get("annotations") or {}) or _writer(live)
    return owner if owner in MANAGERS and owner != "kubectl" else ""


def _marked(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return the tool whose marks an object carries; of several that which applies it again and again.

    Flux marks what it installs as a release as Helm does, too; Argo CD may have taken a release over.
    """
    if PART_OF_LABEL in labels:
        return "applyset"
    if any(".toolkit.fluxcd.io/name" in name for name in labels):
        return "flux"
    if "argocd.argoproj.io/tracking-id" in annotations or "argocd.argoproj.io/instance" in labels:
        return "argocd"
    if labels.get(MANAGED_BY) == "Helm" and "meta.helm.sh/release-name" in annotations:
        return "helm"
    return ""


def _writer(live: Mapping[str, Any]) -> str:
    """Return who made an unmarked object.

    A tool is told by its field manager: Argo CD's marks may be anybody's labels, and Helm marks no CustomResourceDefinition.
    What kubectl wrote as a whole is kubectl's (or the control plane's), though controllers have filled in fields.
    """
    found = [entry for entry in entries(live) if not entry.subresource]
    others = [
        entry for entry in found if not entry.manager.startswith(("kubectl", "before-first-apply", *CONTROL_PLANE))
    ]
    if by_tool := next(filter(None, (tool_of(entry.manager) for entry in others)), ""):
        return by_tool
    if any(entry.manager in MANAGERS["kubectl"] for entry in found):
        others = [entry for entry in others if entry.operation == "Apply"]
    return f"the field manager {others[0].manager}" if others else "kubectl"
