"""Taking off what a server filled in, so that what is left is what somebody asked for.

What surely is not git's goes at once: status, the server's metadata, marks of tools, what the control plane's programs own
by managedFields. What looks like a default may go too, if the server fills in the same again: that is asked, never guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.importing.leaving import PROGRAMS
from reconciler.model.applyset import ENVIRONMENT_LABEL, PART_OF_LABEL
from reconciler.model.path import Keyed
from reconciler.model.schema import MISSING
from reconciler.plan.differences import at, differences
from reconciler.plan.equality import empty
from reconciler.plan.managed import entries, owns
from reconciler.plan.takeover import takeover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.model.path import FieldPath
    from reconciler.model.schema import Schema
    from reconciler.plan.managed import Fields

Body = dict[str, Any]

_METADATA: Final = frozenset(
    ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid", "ownerReferences")
)
_FINALIZERS: Final = ("kubernetes.io/", "foregroundDeletion", "orphan", "service.kubernetes.io/")
_ANNOTATIONS: Final = (
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "autoscaling.alpha.kubernetes.io/",
    "kubectl.kubernetes.io/restartedAt",
    "endpoints.kubernetes.io/",
    "kubernetes.io/limit-ranger",
)
_JOB_LABELS: Final = (
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
)
_ACCESS: Final = "kube-api-access-"  # what the volume begins with through which every Pod gets its token
_OWNERS: Final = ("kubectl", "applyset", "helm", "argocd", "flux")
_CHOSEN: Final = {
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"),
    "PersistentVolumeClaim": ("volumeName", "volumeMode"),
    "Namespace": ("finalizers",),
    "Pod": ("nodeName", "tolerations"),
    "Job": ("selector", "manualSelector"),
}
"""Fields of `spec` that the server chooses where nobody does."""

DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "allocateLoadBalancerNodePorts": (True,),
    "completionMode": ("NonIndexed",),
    "concurrencyPolicy": ("Allow",),
    "defaultMode": (420,),
    "divisor": ("0",),
    "dnsPolicy": ("ClusterFirst",),
    "enableServiceLinks": (True,),
    "externalTrafficPolicy": ("Cluster",),
    "failedJobsHistoryLimit": (1,),
    "failureThreshold": (3,),
    "imagePullPolicy": ("IfNotPresent", "Always"),
    "internalTrafficPolicy": ("Cluster",),
    "backoffLimit": (6,),
    "completions": (1,),
    "parallelism": (1,),
    "periodSeconds": (10,),
    "persistentVolumeClaimRetentionPolicy": ({"whenDeleted": "Retain", "whenScaled": "Retain"},),
    "podManagementPolicy": ("OrderedReady",),
    "podReplacementPolicy": ("TerminatingOrFailed",),
    "preemptionPolicy": ("PreemptLowerPriority",),
    "priority": (0,),
    "progressDeadlineSeconds": (600,),
    "protocol": ("TCP",),
    "resources": ({},),
    "restartPolicy": ("Always",),
    "revisionHistoryLimit": (10,),
    "schedulerName": ("default-scheduler",),
    "serviceAccountName": ("default",),  # of a Pod
    "scheme": ("HTTP",),
    "securityContext": ({},),
    "sessionAffinity": ("None",),
    "strategy": (
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        {"type": "RollingUpdate"},
    ),
    "successThreshold": (1,),
    "successfulJobsHistoryLimit": (3,),
    "suspend": (False,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("ClusterIP", "Opaque", ""),
    "updateStrategy": (
        {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
    ),
}
"""What to try to leave out, by the name of the field: the usual defaults of built-in kinds."""


_ALIASES: Final[Mapping[str, str]] = {
    "clusterIPs": "clusterIP",
    "dataSourceRef": "dataSource",
    "serviceAccount": "serviceAccountName",
    "targetPort": "port",
}
_FREE: Final = frozenset(("annotations", "data", "labels", "matchLabels", "nodeSelector", "selector"))
"""Fields whose entries people name as they like."""


def cleaned(live: Mapping[str, Any], schema: Schema) -> Body:
    """Return an object without status, the server's metadata, marks of tools, and what programs of the control plane own."""
    body: Body = _plain({key: value for key, value in live.items() if key != "status"})
    theirs, others = _owned(live)
    _drop_owned(body, theirs, others, schema, ())
    body["metadata"] = _metadata(live, body["metadata"])
    spec = body.get("spec")
    if isinstance(spec, dict):
        for name in _CHOSEN.get(body["kind"], ()):
            if spec.get(name) not in ("None", ["None"]):
                spec.pop(name, None)
        _injected(live, spec)
    return {key: value for key, value in body.items() if key in ("metadata", "kind") or not empty(value)}


def slimmed(body: Mapping[str, Any]) -> Body:
    """Return an object without anything that looks like a default."""
    found: Body = _slim(body, top=True)
    return found


def restored(slim: Body, whole: Mapping[str, Any], answer: Mapping[str, Any], schema: Schema) -> Body:
    """Return the slim object with what the server did not fill in again: each such field of the whole one is put back."""
    lost = (item for item in differences(answer, whole, schema) if item.new is not MISSING)
    for path in [item.path for item in lost if item.path[0] not in ("metadata", "status")]:
        _put(slim, whole, path, schema)
    return slim


def _metadata(live: Mapping[str, Any], found: Mapping[str, Any]) -> Body:
    kept = {key: value for key, value in found.items() if key not in _METADATA}
    taken = [takeover(owner, live, {}) for owner in _OWNERS]
    labels = {ENVIRONMENT_LABEL, PART_OF_LABEL, "kubernetes.io/metadata.name"}
    labels |= {name for item in taken for name in item.labels}
    labels |= {*_JOB_LABELS}
    if live["kind"] == "Pod":
        labels |= {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"}  # of the node that it runs on
    annotations = {name for item in taken for name in item.annotations}
    kept["labels"] = {key: value for key, value in (kept.get("labels") or {}).items() if key not in labels}
    kept["annotations"] = {
        key: value
        for key, value in (kept.get("annotations") or {}).items()
        if key not in annotations and not key.startswith(_ANNOTATIONS)
    }
    kept["finalizers"] = [item for item in kept.get("finalizers") or () if not item.startswith(_FINALIZERS)]
    return {key: value for key, value in kept.items() if not empty(value)}


def _injected(live: Mapping[str, Any], spec: Body) -> None:
    """Take out of a spec what the server puts into it beside defaults: a Job's labels, a Pod's token, ports of nodes."""
    if live["kind"] == "Job":
        metadata = spec["template"].get("metadata", {})
        _without(metadata, "labels", lambda key: key in _JOB_LABELS)
        if empty(metadata):
            spec["template"].pop("metadata", None)
    if live["kind"] == "Pod":
        _without(spec, "volumes", lambda item: item["name"].startswith(_ACCESS))
        for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
            _without(container, "volumeMounts", lambda item: item["name"].startswith(_ACCESS))
    if live["kind"] == "Service":
        given = [entry.fields for entry in entries(live)]
        for item in spec.get("ports", ()):
            key = Keyed((("port", item["port"]), ("protocol", item.get("protocol", "TCP"))))
            if given and not any(owns(fields, ("spec", "ports", key, "nodePort")) for fields in given):
                item.pop("nodePort", None)


def _without(around: Body, name: str, unwanted: Callable[[Any], bool]) -> None:
    """Take out of a map or list some entries, and all of it where none is left."""
    found = around.get(name) or {}
    if isinstance(found, dict):
        around[name] = {key: value for key, value in found.items() if not unwanted(key)}
    else:
        around[name] = [item for item in found if not unwanted(item)]
    if not around[name]:
        del around[name]


def _owned(live: Mapping[str, Any]) -> tuple[list[Fields], list[Fields]]:
    """Return the fields of the control plane's programs and of subresources, and those of everybody else."""
    theirs: list[Fields] = []
    others: list[Fields] = []
    for entry in entries(live):
        program = bool(entry.subresource) or entry.manager.startswith(PROGRAMS)
        (theirs if program else others).append(entry.fields)
    return theirs, others


def _drop_owned(body: Any, theirs: Sequence[Fields], others: Sequence[Fields], schema: Schema, path: FieldPath) -> None:
    """Take out the entries of maps that only programs own; elements of lists are left as they are."""
    if not isinstance(body, dict) or path[:1] == ("status",):
        return
    for key in list(body):
        here = (*path, key)
        if here in (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")):
            continue
        value = body[key]
        if isinstance(value, dict) and value:
            _drop_owned(value, theirs, others, schema.child(key), here)
            if not value:
                del body[key]
        elif any(owns(fields, here) for fields in theirs) and not any(owns(fields, here) for fields in others):
            del body[key]


def _slim(value: Any, *, top: bool = False) -> Any:
    if isinstance(value, list):
        return [_slim(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item if key in _FREE or (top and key == "metadata") else _slim(item)
        for key, item in value.items()
        if key in _FREE or not (_looks_default(key, item) or _is_alias(key, value) or (key == "nodePort" and not top))
    }


def _looks_default(key: str, value: Any) -> bool:
    return any(value == usual and isinstance(value, bool) is isinstance(usual, bool) for usual in DEFAULTS.get(key, ()))


def _is_alias(key: str, around: Mapping[str, Any]) -> bool:
    """Whether a field says what another one beside it says, and the server fills it in from there."""
    if key == "apiVersion":
        return around[key] == "v1" and "fieldPath" in around
    other = around.get(_ALIASES.get(key, ""))
    return other is not None and around[key] in (other, [other])


def _put(slim: Body, whole: Mapping[str, Any], path: FieldPath, schema: Schema) -> None:
    """Put one field back, or the smallest part around it that both have."""
    for length in range(len(path), 0, -1):
        parent = at(slim, path[: length - 1], schema) if length > 1 else slim
        value = at(whole, path[:length], schema)
        step = path[length - 1]
        if isinstance(parent, dict) and isinstance(step, str) and isinstance(value, dict | list | str | int | float):
            parent[step] = _plain(value)
            return


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
