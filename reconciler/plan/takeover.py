"""What an adoption takes off an object: the field managers of the tool that had it, and the marks that it set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import PART_OF_LABEL
from reconciler.model.plan import Takeover, Writer
from reconciler.plan.managed import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.plan.managed import Entry

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which client-side apply keeps what it was given."""

_KUBECTL: Final = ("kubectl-client-side-apply", "kubectl", "kubectl-create", "before-first-apply")
_HELM: Final = (*_KUBECTL, "helm")
MANAGERS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubectl": _KUBECTL,
    "applyset": (*_KUBECTL, "kubectl-applyset"),
    "helm": _HELM,
    "argocd": (*_HELM, "argocd-controller", "argocd-application-controller", "argocd"),
    "flux": (*_HELM, "kustomize-controller", "helm-controller"),
    "harbor": (),  # what is in a Harbor has no managers
}
"""The field managers through which each tool writes whole objects, and those that it may have found there itself.

What is with Argo CD or Flux today may have begun with Helm or kubectl, whose share would stay for ever.
"""
_PROGRAMS: Final = ("helm", "argocd", "flux")

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_HELM_LABELS: Final = (MANAGED_BY, "helm.sh/chart")
_HELM_ANNOTATIONS: Final = ("meta.helm.sh/", "helm.sh/")
_FLUX: Final = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_ARGO: Final = ("argocd.argoproj.io/",)
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "helm": _HELM_LABELS,
    "argocd": (*_ARGO, *_HELM_LABELS),
    "flux": (*_FLUX, *_HELM_LABELS),
}
_ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "helm": _HELM_ANNOTATIONS,
    "argocd": (*_ARGO, *_HELM_ANNOTATIONS),
    "flux": (*_FLUX, *_HELM_ANNOTATIONS),
}
"""The marks of each tool; a name that ends with a slash stands for all that begin with it."""


def tool_of(manager: str) -> str:
    """Return the tool whose program writes under a field manager, as `policy.adopt` names it; "" where it is none of these."""
    return next((name for name in _PROGRAMS if manager in MANAGERS[name] and manager not in _KUBECTL), "")


def takeover(owner: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Takeover:
    """Return what becomes of the marks and managers of an owner; marks that git wants stay.

    What was set by hand (`kubectl edit`, `kubectl rollout restart`) was not asked for in any file: without an owner it stays
    as it is, so that no Pod restarts.
    """
    metadata = live["metadata"]
    applied = LAST_APPLIED in (metadata.get("annotations") or {})
    theirs = [item for item in entries(live) if not item.ours and not item.subresource and _of(owner, item)]
    asked = [item for item in theirs if item.operation == "Apply" or (applied and _applies(owner, item))]
    return Takeover(
        tuple(dict.fromkeys(Writer(item.manager, item.operation) for item in asked)),
        tuple(dict.fromkeys(Writer(item.manager, item.operation) for item in theirs if item not in asked)),
        _marks("labels", _LABELS.get(owner, ()), live, wanted),
        _marks("annotations", (*_ANNOTATIONS.get(owner, ()), LAST_APPLIED), live, wanted),
    )


def remains(owner: str, live: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of the tool is left outside of the object and what to do about it, where something is known of it."""
    metadata = live["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if owner == "argocd":
        name = str(annotations.get("argocd.argoproj.io/tracking-id", "")).partition(":")[0]
        name = name or labels.get("argocd.argoproj.io/instance") or labels.get("app.kubernetes.io/instance", "")
        yield (
            f"the Argo CD Application {name} still wants what is adopted: delete it without its resources "
            f"(argocd app delete {name} --cascade=false), or it takes them back"
        )
    if owner == "flux" and any(name.endswith(".toolkit.fluxcd.io/name") for name in labels):
        kind = "Kustomization" if "kustomize.toolkit.fluxcd.io/name" in labels else "HelmRelease"
        group = "kustomize" if kind == "Kustomization" else "helm"
        name, space = (labels.get(f"{group}.toolkit.fluxcd.io/{key}", "") for key in ("name", "namespace"))
        yield (
            f"the Flux {kind} {name} -n {space} still wants what is adopted: suspend it and delete it "
            f"(flux suspend {kind.lower()} {name} -n {space}), with spec.prune off, or it deletes the objects"
        )
    if owner == "applyset":
        yield (
            f"the ApplySet {labels.get(PART_OF_LABEL)} of kubectl loses what is adopted: take it out of what is given to "
            "`kubectl apply --applyset`, and delete the set's parent when it is empty"
        )
    release = annotations.get("meta.helm.sh/release-name")
    if release and owner in _PROGRAMS:
        space = annotations.get("meta.helm.sh/release-namespace")
        yield (
            f"the Helm release {release} -n {space} still lists what is adopted: once all of it is, delete its records "
            f"(kubectl delete secret -n {space} -l owner=helm,name={release}); `helm uninstall` would delete the objects"
        )


def _of(owner: str, entry: Entry) -> bool:
    return entry.manager in MANAGERS.get(owner, ()) or (owner in MANAGERS and entry.by_person)


def _applies(owner: str, entry: Entry) -> bool:
    """Whether an `Update` is that of client-side apply, which writes down what it was given."""
    return entry.manager in MANAGERS.get(owner, ()) and entry.manager not in ("kubectl-create", "helm")


def _marks(kind: str, names: tuple[str, ...], live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    found, kept = live["metadata"].get(kind) or {}, (wanted.get("metadata") or {}).get(kind) or {}
    return tuple(
        key
        for key in found
        if key not in kept
        and any(key == name or (name.endswith("/") and key.startswith(name)) for name in names)
        and (key != MANAGED_BY or found[key] == "Helm")
    )
