"""The steps that change every object: namespace, prefix and suffix, labels, annotations, replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.limits import DEPTH
from reconciler.model.tree import Map
from reconciler.render.fieldspec import FieldSpec, holders
from reconciler.render.item import sequence
from reconciler.render.kinds import cluster_scoped
from reconciler.render.selectors import candidates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reconciler.model.origin import Origin
    from reconciler.render.item import Item
    from reconciler.render.kustomization import Kustomization

UNPREFIXED: Final = frozenset({"Namespace", "CustomResourceDefinition", "APIService"})
BINDINGS: Final = ("RoleBinding", "ClusterRoleBinding")
SUBJECT_MODES: Final = ("defaultOnly", "allServiceAccounts", "none")


def namespace(made: Kustomization, items: Sequence[Item], specs: Sequence[FieldSpec]) -> None:
    """Put every object of a namespaced kind, and of a kind that is not known, into the namespace."""
    value = made.text("namespace")
    if value:
        set_namespace(items, value, specs, made.caused("namespace", "namespace"))
        _apart(made, items)


def set_namespace(
    items: Iterable[Item],
    value: str,
    specs: Sequence[FieldSpec],
    origin: Origin,
    *,
    only_unset: bool = False,
    mode: str = "defaultOnly",
) -> None:
    """Set the namespace of objects and in the fields of some specs; `only_unset`: where there is none yet.

    `mode` says which ServiceAccounts among the subjects of bindings follow (`setRoleBindingSubjects`). Those that are
    rendered with the binding follow as references.
    """
    for item in items:
        if item.inflated:
            continue
        item.remember()
        if not cluster_scoped(item.gvk) and not (only_unset and item.namespace):
            item.metadata.put("namespace", value, origin)
        binding = item.gvk.kind in BINDINGS
        if binding:
            _subjects(item, value, mode, origin, only_unset=only_unset)
        for spec in specs:
            if _is_own(spec, item) or (binding and spec.path == "subjects/namespace") or not spec.fits(item.gvk):
                continue
            for node, key in holders(item.body, spec, origin):
                if not (only_unset and node.get(key)):
                    node.put(key, value, origin)


def _subjects(item: Item, value: str, mode: str, origin: Origin, *, only_unset: bool) -> None:
    for subject in sequence(item.body.get("subjects")):
        if isinstance(subject, Map) and _follows(subject, mode) and not (only_unset and subject.get("namespace")):
            subject.put("namespace", value, origin)


def _is_own(spec: FieldSpec, item: Item) -> bool:
    """Whether a spec names what is decided by the kind: the namespace, or the name of a Namespace."""
    return spec.path == "metadata/namespace" or (
        spec.path == "metadata/name" and spec.kind == "Namespace" and item.body.get("apiVersion") != "v1"
    )


def _follows(subject: Map, mode: str) -> bool:
    if mode == "defaultOnly":
        return subject.get("name") == "default"
    return mode == "allServiceAccounts" and subject.get("kind") == "ServiceAccount"


def _apart(made: Kustomization, items: Iterable[Item]) -> None:
    """Refuse a namespace that makes two objects one."""
    seen: dict[tuple[Any, ...], Item] = {}
    for item in items:
        gvk = item.gvk
        other = seen.setdefault((gvk.group, gvk.version, item.name), item)
        if other is not item:
            told = f"the namespace makes one of two objects: {item}, from {other.origin} and from {item.origin}"
            raise made.error(told, "namespace")


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
                item.remember()
                (item.prefixes if before else item.suffixes).append(text)
                name = item.name.name
                item.metadata.put("name", text + name if before else name + text, origin)
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
    if field["path"].count("/") >= DEPTH:
        raise made.error(f"a path of labels[{index}].fields has more than {DEPTH} steps", "labels", index, "fields")
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
