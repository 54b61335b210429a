"""What an adoption takes off an object: the field managers of the tool that had it, and the marks that it set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.applyset import PART_OF_LABEL
from reconciler.model.plan import Takeover, Writer
from reconciler.plan.managed import entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.plan.managed import Entry

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which client-side apply keeps what it was given."""

MANAGERS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubectl": ("kubectl-client-side-apply", "kubectl", "kubectl-create", "before-first-apply"),
    "applyset": ("kubectl", "kubectl-applyset", "kubectl-client-side-apply"),
    "helm": ("helm",),
    "argocd": ("argocd-controller", "argocd-application-controller", "argocd"),
    "flux": ("kustomize-controller", "helm-controller"),
}
"""The field managers through which each tool writes whole objects."""

_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "helm": ("app.kubernetes.io/managed-by", "helm.sh/chart"),
    "argocd": ("argocd.argoproj.io/",),
    "flux": ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"),
}
_ANNOTATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "helm": ("meta.helm.sh/",),
    "argocd": ("argocd.argoproj.io/",),
    "flux": ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"),
}
"""The marks of each tool; a name that ends with a slash stands for all that begin with it."""


def takeover(owner: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Takeover:
    """Return what becomes of the marks and managers of an owner; marks that git wants stay."""
    metadata = live["metadata"]
    applied = LAST_APPLIED in (metadata.get("annotations") or {})
    theirs = [item for item in entries(live) if not item.ours and not item.subresource and _of(owner, item)]
    asked = [item for item in theirs if item.operation == "Apply" or (applied and item.manager != "kubectl-create")]
    return Takeover(
        tuple(dict.fromkeys(Writer(item.manager, item.operation) for item in asked)),
        tuple(dict.fromkeys(Writer(item.manager, item.operation) for item in theirs if item not in asked)),
        _marks("labels", _LABELS.get(owner, ()), live, wanted),
        _marks("annotations", (*_ANNOTATIONS.get(owner, ()), LAST_APPLIED), live, wanted),
    )


def remains(owner: str, live: Mapping[str, Any]) -> str:
    """Return what of the tool is left outside of the object and what to do about it; "" where nothing is known of it."""
    metadata = live["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if owner == "helm":
        name, space = annotations.get("meta.helm.sh/release-name"), annotations.get("meta.helm.sh/release-namespace")
        return (
            f"the Helm release {name} -n {space} still lists what is adopted: once all of it is, delete its records "
            f"(kubectl delete secret -n {space} -l owner=helm,name={name}); `helm uninstall` would delete the objects"
        )
    if owner == "argocd":
        name = str(annotations.get("argocd.argoproj.io/tracking-id", "")).partition(":")[0]
        name = name or labels.get("argocd.argoproj.io/instance", "")
        return (
            f"the Argo CD Application {name} still wants what is adopted: delete it without its resources "
            f"(argocd app delete {name} --cascade=false), or it takes them back"
        )
    if owner == "flux":
        kind = "Kustomization" if "kustomize.toolkit.fluxcd.io/name" in labels else "HelmRelease"
        group = "kustomize" if kind == "Kustomization" else "helm"
        name, space = (labels.get(f"{group}.toolkit.fluxcd.io/{key}", "") for key in ("name", "namespace"))
        return (
            f"the Flux {kind} {name} -n {space} still wants what is adopted: suspend it and delete it "
            f"(flux suspend {kind.lower()} {name} -n {space}), with spec.prune off, or it deletes the objects"
        )
    if owner == "applyset":
        return (
            f"the ApplySet {labels.get(PART_OF_LABEL)} of kubectl loses what is adopted: take it out of what is given to "
            "`kubectl apply --applyset`, and delete the set's parent when it is empty"
        )
    return ""


def _of(owner: str, entry: Entry) -> bool:
    return entry.manager in MANAGERS.get(owner, ()) or (owner == "kubectl" and entry.by_person)


def _marks(kind: str, names: tuple[str, ...], live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    found, kept = live["metadata"].get(kind) or {}, (wanted.get("metadata") or {}).get(kind) or {}
    return tuple(
        key
        for key in found
        if key not in kept and any(key == name or (name.endswith("/") and key.startswith(name)) for name in names)
    )
