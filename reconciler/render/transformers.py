"""The steps that change every object: namespace, prefix and suffix, labels, annotations, replicas, images."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.tree import Map, Seq
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.kinds import POD_SPECS, cluster_scoped
from reconciler.render.selectors import candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model.origin import Origin
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization

UNPREFIXED: Final = frozenset({"Namespace", "CustomResourceDefinition", "APIService"})
SERVICE_NAMESPACES: Final = (
    FieldSpec("spec/service/namespace", "APIService", "apiregistration.k8s.io"),
    FieldSpec("spec/conversion/webhook/clientConfig/service/namespace", "CustomResourceDefinition"),
)
TEMPLATED: Final = {kind: path.removesuffix("/spec") for kind, path in POD_SPECS.items() if kind != "Pod"}
SELECTED: Final = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")
_AFFINITIES: Final = tuple(
    f"spec/template/spec/affinity/{side}/{rule}/labelSelector/matchLabels"
    for side in ("podAffinity", "podAntiAffinity")
    for rule in (
        "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
)
SELECTORS: Final = (
    FieldSpec("spec/selector", "Service", "", create=True),
    FieldSpec("spec/selector", "ReplicationController", "", create=True),
    *(FieldSpec("spec/selector/matchLabels", kind, "apps", create=True) for kind in SELECTED),
    *(FieldSpec(path, kind, "apps") for kind in SELECTED for path in _AFFINITIES),
    *(
        FieldSpec("spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", kind, "apps")
        for kind in SELECTED
    ),
    FieldSpec("spec/selector/matchLabels", "Job", "batch"),
    FieldSpec("spec/jobTemplate/spec/selector/matchLabels", "CronJob", "batch"),
    FieldSpec("spec/selector/matchLabels", "PodDisruptionBudget", "policy"),
    FieldSpec("spec/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
    FieldSpec("spec/ingress/from/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
    FieldSpec("spec/egress/to/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
)
TEMPLATES: Final = (
    *(FieldSpec(f"{path}/metadata", kind, create=True) for kind, path in TEMPLATED.items()),
    FieldSpec("spec/jobTemplate/metadata", "CronJob", create=True),
)
CLAIM_LABELS: Final = (FieldSpec("spec/volumeClaimTemplates[]/metadata/labels", "StatefulSet", "apps", create=True),)
REPLICATED: Final = ("Deployment", "ReplicationController", "ReplicaSet", "StatefulSet")
_IMAGE: Final = re.compile(r"(?P<name>[^@]*?)(?::(?P<tag>[^:@/]*))?(?:@(?P<digest>.+))?")


def namespace(made: Kustomization, items: Iterable[Item], specs: Sequence[FieldSpec]) -> None:
    """Put every object of a namespaced kind, and of a kind that is not known, into the namespace."""
    value = made.text("namespace")
    if not value:
        return
    origin = made.caused("namespace", "namespace")
    items = list(items)
    accounts = {item.name for item in items if item.gvk.kind == "ServiceAccount"}
    accounts |= {name for item in items if item.gvk.kind == "ServiceAccount" for name in item.earlier}
    for item in items:
        if item.gvk.kind == "Namespace" and not item.gvk.group:
            item.rename("name", value, origin)
        elif not cluster_scoped(item.gvk):
            item.rename("namespace", value, origin)
        if item.gvk.kind in ("RoleBinding", "ClusterRoleBinding"):
            _subjects(item, value, accounts, origin)
        for spec in (*SERVICE_NAMESPACES, *(spec for spec in specs if spec.path != "metadata/namespace")):
            if spec.fits(item.gvk):
                for node, key in holders(item.body, spec, origin):
                    node.put(key, value, origin)


SUBJECT_MODES: Final = ("defaultOnly", "allServiceAccounts", "none")


def set_namespace(
    items: list[Item], value: str, specs: list[FieldSpec], origin: Origin, *, only_unset: bool, mode: str
) -> None:
    """Set the namespace in the fields of some specs; `only_unset`: where there is none yet.

    `mode` says which ServiceAccounts among the subjects of bindings follow (`setRoleBindingSubjects`).
    """
    for item in items:
        if not cluster_scoped(item.gvk) and not (only_unset and item.name.namespace):
            item.rename("namespace", value, origin)
        binding = item.gvk.kind in ("RoleBinding", "ClusterRoleBinding")
        if binding and mode != "none":
            for subject in item.body.get("subjects") or ():
                fits = isinstance(subject, Map) and subject.get("kind") == "ServiceAccount"
                meant = fits and (mode == "allServiceAccounts" or subject.get("name") == "default")
                if meant and not (only_unset and subject.get("namespace")):
                    subject.put("namespace", value, origin)
        for spec in specs:
            if spec.path in ("metadata/namespace", "subjects/namespace") or not spec.fits(item.gvk):
                continue
            for node, key in holders(item.body, spec, origin):
                if not (only_unset and node.get(key)):
                    node.put(key, value, origin)


def _subjects(item: Item, value: str, accounts: set[Any], origin: Origin) -> None:
    known = {name.name for name in accounts}
    for subject in item.body.get("subjects") or ():
        if isinstance(subject, Map) and subject.get("kind") == "ServiceAccount":
            name, space = subject.get("name"), str(subject.get("namespace") or "")
            if name == "default" or (name in known and any(one == (space, name) for one in accounts)):
                subject.put("namespace", value, origin)


def affixes(
    made: Kustomization, items: Sequence[Item], prefixed: Sequence[FieldSpec], suffixed: Sequence[FieldSpec]
) -> None:
    """Put prefix and suffix around the names of all but namespaces and definitions."""
    prefix, suffix = made.text("namePrefix"), made.text("nameSuffix")
    if prefix:
        affix(items, prefix, prefixed, made.caused("namePrefix", "namePrefix"), before=True)
    if suffix:
        affix(items, suffix, suffixed, made.caused("nameSuffix", "nameSuffix"), before=False)


def affix(items: Iterable[Item], text: str, specs: Sequence[FieldSpec], origin: Origin, *, before: bool) -> None:
    """Put a prefix or suffix to names, and to other fields, where field specs say so."""
    for item in items:
        if item.gvk.kind in UNPREFIXED:
            continue
        for spec in specs:
            if not spec.fits(item.gvk):
                continue
            if spec.path == "metadata/name":
                item.rename("name", text + item.name.name if before else item.name.name + text, origin)
                continue
            for node, key in holders(item.body, spec, None):
                if isinstance(node.get(key), str):
                    node.put(key, text + node[key] if before else node[key] + text, origin)


def labels(
    made: Kustomization,
    items: Iterable[Item],
    common: Sequence[FieldSpec],
    templates: Sequence[FieldSpec],
    own: Sequence[FieldSpec],
) -> None:
    """Set the labels of `labels` and `commonLabels`.

    `common` are the fields that `commonLabels` and `includeSelectors` mean, `templates` those of `includeTemplates`
    beside `own`.
    """
    items = list(items)
    for index, entry in made.maps("labels"):
        unknown = set(entry) - {"pairs", "includeSelectors", "includeTemplates", "fields"}
        if unknown:
            raise made.error(f"labels[{index}] has an unknown key {min(unknown)}", "labels", index, min(unknown))
        pairs = entry.get("pairs")
        if not isinstance(pairs, Map) or not all(isinstance(value, str) for value in pairs.values()):
            raise made.error(f"labels[{index}].pairs has to map names to strings", "labels", index)
        specs = [_custom_spec(made, index, field) for field in entry.get("fields") or ()]
        if entry.get("includeSelectors") is True:
            specs += common
        else:
            specs += (*own, *templates) if entry.get("includeTemplates") is True else own
        for key, value in pairs.items():
            _set_pairs(items, specs, key, value, made.caused("labels", "labels", index, "pairs", key))
    for key, value in made.strings("commonLabels").items():
        _set_pairs(items, common, key, value, made.caused("labels", "commonLabels", key))


def _custom_spec(made: Kustomization, index: int, field: Any) -> FieldSpec:
    if not isinstance(field, Map) or not isinstance(field.get("path"), str):
        raise made.error(f"labels[{index}].fields needs paths", "labels", index, "fields")
    return FieldSpec(field["path"], str(field.get("kind") or ""), field.get("group"), field.get("create") is True)


def _set_pairs(items: Iterable[Item], specs: Iterable[FieldSpec], key: str, value: str, origin: Origin) -> None:
    by_kind: dict[Any, list[FieldSpec]] = {}
    for item in items:
        gvk = item.gvk
        if gvk not in by_kind:
            by_kind[gvk] = [spec for spec in specs if spec.fits(gvk)]
        for spec in by_kind[gvk]:
            set_pair(item, spec, key, value, origin)


def common_annotations(made: Kustomization, items: Sequence[Item], specs: Sequence[FieldSpec]) -> None:
    """Set the annotations of `commonAnnotations`, in Pod templates too."""
    for key, value in made.strings("commonAnnotations").items():
        _set_pairs(items, specs, key, value, made.caused("annotations", "commonAnnotations", key))


def set_pair(item: Item, spec: FieldSpec, key: str, value: str, origin: Origin) -> None:
    """Set one label or annotation in the mapping that a field spec leads to."""
    for node, last in holders(item.body, spec, origin):
        if not isinstance(node.get(last), Map):
            node.put(last, Map(), origin)
        node[last].put(key, value, origin)


def replicas(made: Kustomization, items: Iterable[Item], specs: Sequence[FieldSpec]) -> None:
    """Set the counts of `replicas`."""
    items = list(items)
    for index, entry in made.maps("replicas"):
        name, count = entry.get("name"), entry.get("count")
        if not isinstance(name, str) or not isinstance(count, int) or isinstance(count, bool):
            raise made.error(f"replicas[{index}] needs a name and a count", "replicas", index)
        able = [item for item in items if any(spec.fits(item.gvk) for spec in specs)]
        found = [item for item in able if name in {item.first.name, item.name.name}]
        if not found:
            hint = candidates(name, able)
            raise made.error(f"replicas[{index}]: nothing named {name} has replicas", "replicas", index, hint=hint)
        for item in found:
            origin = made.caused("replicas", "replicas", index, "count")
            for spec in specs:
                if spec.fits(item.gvk):
                    for node, key in holders(item.body, spec, origin):
                        node.put(key, count, origin)


def images(made: Kustomization, items: Iterable[Item]) -> None:
    """Rewrite the images of `images` in containers and initContainers, at any depth of any kind."""
    rules = [(index, entry) for index, entry in made.maps("images")]
    for index, entry in rules:
        if not isinstance(entry.get("name"), str):
            raise made.error(f"images[{index}] needs a name", "images", index)
        for key in ("newName", "newTag", "digest", "tagSuffix"):
            if entry.get(key) is not None and not isinstance(entry[key], str):
                raise made.error(f"images[{index}].{key} has to be a string; put it in quotes", "images", index, key)
    if not rules:
        return
    by_name: dict[str, list[tuple[int, Map]]] = {}
    for index, entry in rules:
        by_name.setdefault(entry["name"], []).append((index, entry))
    for item in items:
        if item.gvk.kind == "CustomResourceDefinition":
            continue
        for container in _containers(item.body):
            _rewrite(made, container, by_name)


def images_at(made: Kustomization, items: Iterable[Item], specs: Sequence[FieldSpec]) -> None:
    """Rewrite the images of `images` where field specs lead to."""
    if not specs:
        return
    by_name: dict[str, list[tuple[int, Map]]] = {}
    for index, entry in made.maps("images"):
        by_name.setdefault(entry["name"], []).append((index, entry))
    for item in items:
        for spec in specs:
            if spec.fits(item.gvk):
                for node, key in holders(item.body, replace(spec, create=False), None):
                    _rewrite(made, node, by_name, key)


def _rewrite(made: Kustomization, holder: Map, by_name: dict[str, list[tuple[int, Map]]], field: str = "image") -> None:
    image = holder.get(field)
    if not isinstance(image, str):
        return
    name, _, _ = split_image(image)
    for index, rule in by_name.get(name, ()):
        name, tag, digest = split_image(holder[field])
        fresh = str(rule.get("newName") or name)
        if rule.get("digest"):
            fresh += f":{rule['newTag']}@{rule['digest']}" if rule.get("newTag") else f"@{rule['digest']}"
        elif rule.get("newTag"):
            fresh += f":{rule['newTag']}"
        else:
            fresh += (f":{tag}{rule.get('tagSuffix', '')}" if tag else "") + (f"@{digest}" if digest else "")
        key = next((key for key in ("newTag", "digest", "newName", "tagSuffix") if rule.get(key)), "name")
        holder.put(field, fresh, made.caused("images", "images", index, key))


def split_image(image: str) -> tuple[str, str, str]:
    """Return the name, tag and digest of an image; "" for what it does not have."""
    match = _IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


def _containers(node: Any) -> Iterator[Map]:
    if isinstance(node, Map):
        for key, value in node.items():
            if key in ("containers", "initContainers") and isinstance(value, Seq):
                yield from (item for item in value if isinstance(item, Map))
            elif isinstance(value, Map | Seq):
                yield from _containers(value)
    elif isinstance(node, Seq):
        for value in node:
            yield from _containers(value)
