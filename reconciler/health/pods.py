"""What is wrong with Pods: the container at fault and why, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.health.status import (
    CURRENT,
    Body,
    count,
    failed,
    in_progress,
    items,
    section,
    status_conditions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from reconciler.model.outcome import Health

_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


class Fault(NamedTuple):
    """One container, or the Pod as a whole (container ""), that keeps a Pod from being ready."""

    pod: str
    container: str
    message: str
    crashed: bool = False  # it ran and ended: its log may say why
    image: str = ""  # of the container, as the Pod asks for it

    def __str__(self) -> str:
        """Return the fault in one line."""
        return f"Pod/{self.pod}" + (f", {self.told}" if self.container else f": {self.message}")

    @property
    def told(self) -> str:
        """The fault without its Pod; the image is named where the message does not name it."""
        if not self.container:
            return self.message
        image = f" of image {self.image}" if self.image and self.image not in self.message else ""
        return f"container {self.container}{image}: {self.message}"


def pod(body: Body, related: Sequence[Body] = ()) -> Health:  # noqa: ARG001 - all rules take the same
    """Judge a Pod by its phase, its Ready condition and its containers."""
    phase = section(body, "status").get("phase")
    if phase == "Succeeded":
        return CURRENT
    found = fault(body)
    if phase == "Failed":
        status = section(body, "status")
        told = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
        return failed(told or (found.told if found else "the Pod failed"))
    ready = status_conditions(body).get("Ready")
    if phase == "Running" and ready is not None and ready.status == "True":
        return CURRENT
    if found is not None:
        crash_loop = "CrashLoopBackOff" in found.message
        return failed(found.told) if crash_loop else in_progress(found.told)
    return in_progress(ready.text if ready is not None and ready.message else f"phase {phase or 'unknown'}")


def fault(body: Body) -> Fault | None:
    """Return what keeps a Pod from being ready; None where nothing is known to be wrong."""
    name = str(section(body, "metadata").get("name", ""))
    statuses = (*items(body, "status", "initContainerStatuses"), *items(body, "status", "containerStatuses"))
    for status in statuses:
        found = _container(status)
        if found is not None:
            message, crashed = found
            container = str(status.get("name", ""))
            return Fault(name, container, message, crashed, _image(body, container))
    scheduled = status_conditions(body).get("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return Fault(name, "", scheduled.text)
    unready = [str(status.get("name", "")) for status in statuses if _runs_unready(status)]
    return Fault(name, unready[0], "runs but is not ready", image=_image(body, unready[0])) if unready else None


def _image(body: Body, container: str) -> str:
    asked = (*items(body, "spec", "initContainers"), *items(body, "spec", "containers"))
    return next((str(item.get("image") or "") for item in asked if item.get("name") == container), "")


def _runs_unready(status: Mapping[str, Any]) -> bool:
    return "running" in section(status, "state") and status.get("ready") is False and status.get("started") is not None


def _container(status: Mapping[str, Any]) -> tuple[str, bool] | None:
    waiting = section(status, "state", "waiting")
    reason = str(waiting.get("reason") or "")
    ended = section(status, "lastState", "terminated")
    if reason and reason not in _STARTING:
        if reason == "CrashLoopBackOff":
            return f"CrashLoopBackOff: {_ending(ended)}, {count(status, 'restartCount')} restarts", True
        return ": ".join(part for part in (reason, str(waiting.get("message") or "")) if part), False
    ending = section(status, "state", "terminated")
    if ending and ending.get("exitCode") != 0:
        return _ending(ending), True
    return None


def _ending(ended: Mapping[str, Any]) -> str:
    if not ended:
        return "it ends again and again"
    reason = str(ended.get("reason") or "")
    told = f" ({reason})" if reason and reason != "Error" else ""
    message = str(ended.get("message") or "").strip()
    return f"exit code {ended.get('exitCode')}{told}" + (f": {message.splitlines()[-1]}" if message else "")


def faults(pods: Iterable[Body]) -> list[Fault]:
    """Return the faults of Pods, those that tell most first: crashes, then everything else."""
    found = [item for item in map(fault, pods) if item is not None]
    return sorted(found, key=lambda item: (not item.crashed, item.pod))


def selected(body: Body, related: Iterable[Body]) -> list[Body]:
    """Return the Pods among related objects that a workload's selector selects."""
    namespace = section(body, "metadata").get("namespace")
    selector = section(body, "spec", "selector")
    if not selector:
        return []
    return [
        item
        for item in related
        if item.get("kind") == "Pod"
        and section(item, "metadata").get("namespace") == namespace
        and matches(selector, section(item, "metadata", "labels"))
    ]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy a label selector (metav1.LabelSelector)."""
    wanted = section(selector, "matchLabels")
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _expression(item, labels) for item in items(selector, "matchExpressions")
    )


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
