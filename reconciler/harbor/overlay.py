"""A custom resource as the plan is to see it: its fields with the values that Harbor has, and what else there is to say.

Only declared fields are overlaid, for what git does not say is not ours. Where Harbor differs in a way that no field
shows (it does not answer, the object is gone, its password was changed in the cluster), an annotation says so.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.errors import Invalid
from reconciler.harbor import changed
from reconciler.harbor.kinds import KINDS, NOTHING
from reconciler.harbor.ownership import Claim, claim, told
from reconciler.harbor.quantities import storage
from reconciler.model.harbor import PENDING, UNCLAIMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cluster.port import Body
    from reconciler.harbor.kinds import References, Spec
    from reconciler.harbor.port import Item
    from reconciler.model.api import ApiResource

LOCAL: Final = frozenset(("credentials", "secret"))
"""Fields that are about the cluster; Harbor does not have them."""


def digest(spec: Mapping[str, Any]) -> str:
    """Return what tells whether fields are those that Harbor was given."""
    return hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def seen(body: Body, item: Item | None, known: References = NOTHING, reason: str = "") -> Body:
    """Return a custom resource with Harbor's values; `item` is what Harbor has under its name.

    `reason` says what else is pending, e.g. a Secret that has changed.
    """
    status, kind = body.get("status") or {}, KINDS[body["kind"]]
    spec: Spec = body.get("spec") or {}
    if item is None:
        was = f"its id was {status['id']}" if status.get("id") is not None else "it was not made yet"
        return _marked({**body, "spec": {}}, PENDING, f"Harbor does not have it ({was})")
    standing = claim(kind, status, item)
    there = {**body, "spec": declared(spec, kind.shown(item, known)), "status": {**status, **counted(item)}}
    if standing is Claim.FOREIGN:
        return _marked(there, UNCLAIMED, told(kind, item))
    if standing is Claim.UNNOTED:
        return _marked(there, PENDING, "it was made by a run that ended before it noted so")
    if reason:
        return _marked(there, PENDING, reason)
    if status.get("given") != digest(spec):
        return _marked(there, PENDING, "Harbor was not given all of it")
    return there if there["spec"] == spec else versioned(changed.by_others(there, spec))


def unasked(body: Body, error: str) -> Body:
    """Return a custom resource of which is not known what Harbor has."""
    return _marked(body, PENDING, f"compared when it is applied: {error}")


def alone(resource: ApiResource, namespace: str, name: str, item: Item, known: References) -> Body:
    """Return an object that Harbor has and the cluster does not, as if it were there and of somebody else's making."""
    kind = KINDS[resource.kind]
    body: Body = {
        "apiVersion": resource.gvk.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "0", "uid": ""},
        "spec": kind.shown(item, known),
        "status": counted(item),
    }
    return _marked(body, UNCLAIMED, told(kind, item))


def declared(spec: Mapping[str, Any], shown: Mapping[str, Any]) -> Spec:
    """Return Harbor's values of the declared fields; where they mean the same, as git writes them."""
    found: Spec = {}
    for name, value in spec.items():
        if name in LOCAL:
            found[name] = value
        elif name in shown:
            found[name] = _value(name, value, shown[name])
    return found


def counted(item: Item) -> dict[str, Any]:
    """Return what is told in the status of what an object holds."""
    return {"repositories": item["repo_count"]} if item.get("repo_count") else {}


def versioned(body: Body) -> Body:
    """Return a body whose resourceVersion also tells Harbor's values, so that answers about it are not mistaken."""
    metadata = body["metadata"]
    version = f"{plain(metadata.get('resourceVersion', ''))}.{digest(body['spec'])}"
    return {**body, "metadata": {**metadata, "resourceVersion": version}}


def plain(version: str) -> str:
    """Return the API server's part of a resourceVersion."""
    return version.partition(".")[0]


def _value(name: str, wanted: Any, shown: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(shown, dict):
        return declared(wanted, shown)
    return wanted if _same(name, wanted, shown) else shown


def _same(name: str, wanted: Any, shown: Any) -> bool:
    if name == "storageQuota":
        try:
            return storage(str(wanted)) == storage(str(shown))
        except Invalid:
            return False
    if name == "url":
        return str(wanted).rstrip("/") == str(shown).rstrip("/")
    if name == "permissions":
        return _permissions(wanted) == _permissions(shown)
    return bool(wanted == shown)


def _permissions(value: Any) -> set[tuple[str, str, str, str]]:
    return {
        (str(found.get("kind")), str(found.get("namespace")), str(item.get("resource")), str(item.get("action")))
        for found in value or ()
        for item in found.get("access") or ()
    }


def _marked(body: Body, name: str, words: str) -> Body:
    metadata = body["metadata"]
    annotations = {**(metadata.get("annotations") or {}), name: words}
    return versioned({**body, "metadata": {**metadata, "annotations": annotations}})
