"""Who owns which field: server-side apply and plain updates on one object (KEP-555), without a store around them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import Conflict
from tests.fakes import fields

if TYPE_CHECKING:
    from tests.fakes.fields import Path
    from tests.fakes.shapes import Shape

Body = dict[str, Any]


class Owner(NamedTuple):
    """One entry of `managedFields`, told from others as the server tells them."""

    manager: str
    operation: str
    api_version: str = ""  # Update entries only: an Apply entry is the same at any version
    subresource: str = ""

    def __str__(self) -> str:
        """Return the owner as conflicts name it."""
        name = f'"{self.manager}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return name if self.operation == "Apply" else f"{name} using {self.api_version}"


Owners = dict[Owner, "set[Path]"]


def read(body: Body | None) -> Owners:
    """Read `managedFields`."""
    owners: Owners = {}
    for entry in ((body or {}).get("metadata") or {}).get("managedFields") or ():
        if entry:
            version = "" if entry["operation"] == "Apply" else entry["apiVersion"]
            owner = Owner(entry["manager"], entry["operation"], version, entry.get("subresource", ""))
            owners[owner] = fields.decode(entry["fieldsV1"])
    return owners


def write(body: Body, owners: Owners, time: str) -> None:
    """Write `managedFields`; an owner whose fields are the same as before keeps its time."""
    times = {}
    for entry in body["metadata"].get("managedFields") or ():
        if entry:
            times[str(entry["manager"]), entry["operation"], str(entry["fieldsV1"])] = entry.get("time", time)
    entries = []
    for owner, paths in sorted(owners.items(), key=lambda item: (item[0].operation, item[0])):
        if not paths:
            continue
        encoded = fields.encode(paths)
        entry = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": owner.api_version or body["apiVersion"],
            "time": times.get((owner.manager, owner.operation, str(encoded)), time),
            "fieldsType": "FieldsV1",
            "fieldsV1": encoded,
        }
        entries.append(entry | ({"subresource": owner.subresource} if owner.subresource else {}))
    body["metadata"].pop("managedFields", None)
    if entries:
        body["metadata"]["managedFields"] = entries


def apply(live: Body | None, wanted: Body, shape: Shape, manager: str, *, force: bool, time: str) -> Body:
    """Return the object after a server-side apply; raises Conflict with the server's causes."""
    owners = read(live)
    if live is not None and not owners:
        owners[Owner("before-first-apply", "Update", live["apiVersion"])] = set(fields.owned(live, shape))
    me = Owner(manager, "Apply")
    ours = set(fields.owned(wanted, shape))
    others = set().union(*(paths for owner, paths in owners.items() if owner != me))
    base = live or {"metadata": {}}
    kept = {path[:depth] for path in ours | others for depth in range(1, len(path) + 1)}
    gone = owners.get(me, set()) - kept
    result: Body = fields.without(fields.merged(base, wanted, shape), gone, shape)
    before, after = fields.owned(base, shape), fields.owned(result, shape)
    different = fields.changed(before, after)
    clashes = [(owner, path) for owner, paths in owners.items() if owner != me for path in sorted(paths & different)]
    if clashes and not force:
        raise _conflict(clashes)
    lost = different | (set(before) - set(after))
    owners = {owner: paths if owner == me else paths - lost for owner, paths in owners.items()} | {me: ours}
    write(result, owners, time)
    return result


def update(live: Body | None, new: Body, shape: Shape, owner: Owner, *, time: str) -> Body:
    """Return the object after a plain write: what it changes becomes the writer's, whoever had it before.

    An object that has no owners at all gets none by this either: the server tracks it from its first apply on.
    """
    given = new["metadata"].get("managedFields")
    if live is not None and not given and not read(live):
        return new
    owners = read(new if given else live)
    if live and not given and given is None:
        new["metadata"]["managedFields"] = copy.deepcopy(live["metadata"].get("managedFields", []))
    before, after = fields.owned(live or {}, shape), fields.owned(new, shape)
    different = fields.changed(before, after)
    lost = different | (set(before) - set(after))
    owners = {other: paths if other == owner else paths - lost for other, paths in owners.items()}
    owners[owner] = (owners.get(owner, set()) - (set(before) - set(after))) | different
    write(new, owners, time)
    return new


def _conflict(clashes: list[tuple[Owner, Path]]) -> Conflict:
    if len(clashes) == 1:
        text = f"1 conflict: conflict with {clashes[0][0]}: {fields.text(clashes[0][1])}"
    else:
        text = f"{len(clashes)} conflicts: " + "\n".join(
            "\n".join(
                [f"conflicts with {owner}:", *(f"- {fields.text(path)}" for other, path in clashes if other == owner)]
            )
            for owner in dict.fromkeys(owner for owner, _ in clashes)
        )
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": fields.text(path)}
        for owner, path in clashes
    ]
    return Conflict(f"Apply failed with {text}", status=409, reason="Conflict", details={"causes": causes})
