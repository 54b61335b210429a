"""An API server's memory: objects with versions and owners, their rules, their history. No requests, no waiting."""

from __future__ import annotations

import copy
import itertools
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import AlreadyExists, ClusterError, Conflict, Invalid, NotFound
from reconciler.model.identity import GroupKind, GroupVersionKind
from tests.fakes import kinds, ownership, rules
from tests.fakes.ownership import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.api import ApiResource
    from tests.fakes.shapes import Shape

Body = dict[str, Any]
TIME = "2026-01-01T00:00:00Z"
CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


class Happening(NamedTuple):
    """One write in the server's history; `old` is None for a new object, `new` for one that is gone."""

    version: int
    kind: GroupKind
    old: Body | None
    new: Body | None


def label_match(body: Body | None, selector: str) -> bool:
    """Whether an object fits a selector of the forms `a=b`, `a!=b`, `a`, `!a`, joined by commas."""
    labels = ((body or {}).get("metadata") or {}).get("labels") or {}
    for term in filter(None, selector.split(",")):
        key, _, value = term.replace("!=", "=").partition("=")
        if "!=" in term:
            fits = labels.get(key) != value
        elif "=" in term:
            fits = labels.get(key) == value
        else:
            fits = (term.lstrip("!") in labels) != term.startswith("!")
        if not fits:
            return False
    return body is not None


class Store:
    """The objects of one API server. Writes come as whole operations and are all or nothing."""

    def __init__(self, settle: Callable[[Body], Body | None]) -> None:
        """Start with the four namespaces that every cluster has; `settle` gives statuses after each write."""
        self.settle = settle
        self.objects: dict[GroupKind, dict[tuple[str, str], Body]] = {}
        self.history: list[Happening] = []
        self.version = 100
        for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.write(self.resource("v1", "Namespace"), body, Owner("kube-apiserver", "Update", "v1"))

    # What is served

    def resources(self) -> Iterator[tuple[ApiResource, Body | None]]:
        """Yield all served kinds, each with the CRD that makes it so."""
        yield from ((item, None) for item in kinds.builtin())
        for crd in self.objects.get(CRD, {}).values():
            yield from ((item, crd) for item in kinds.of_crd(crd))

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return a served kind."""
        wanted = GroupVersionKind.of({"apiVersion": api_version, "kind": kind})
        found = next((item for item, _ in self.resources() if item.gvk == wanted), None)
        if found is None:
            raise unknown()
        return found

    def shape(self, resource: ApiResource) -> Shape:
        """Return the shape of a kind; raises NotFound where it is not served."""
        for item, crd in self.resources():
            if item.gvk == resource.gvk:
                return kinds.shape(item, crd)
        raise unknown()

    # Reading

    def find(self, resource: ApiResource, namespace: str, name: str) -> Body | None:
        """Return the stored object itself."""
        key = (namespace if resource.namespaced else "", name)
        return self.objects.get(GroupKind(resource.group, resource.kind), {}).get(key)

    def get(self, resource: ApiResource, namespace: str, name: str) -> Body:
        """Return a copy of an object; raises NotFound."""
        self.shape(resource)
        found = self.find(resource, namespace, name)
        if found is None:
            raise missing(resource, name)
        return self.seen(found, resource)

    def select(self, resource: ApiResource, namespace: str, selector: str) -> list[Body]:
        """Return copies of the objects of a collection."""
        self.shape(resource)
        stored = self.objects.get(GroupKind(resource.group, resource.kind), {})
        return [
            self.seen(body, resource)
            for (where, _), body in sorted(stored.items())
            if namespace in ("", where) and label_match(body, selector)
        ]

    @staticmethod
    def seen(body: Body, resource: ApiResource) -> Body:
        """Return a copy at the version that was asked for."""
        return copy.deepcopy({**body, "apiVersion": resource.gvk.api_version})

    # Writing

    def apply(
        self, resource: ApiResource, body: Body, manager: str, *, force: bool = False, dry_run: bool = False
    ) -> Body:
        """Server-side apply."""
        shape = self.shape(resource)
        body, live = self._admitted(resource, body)
        if body["metadata"].get("managedFields"):
            raise Invalid("metadata.managedFields must be nil", status=400, reason="BadRequest")
        rules.check(resource, body, shape)
        if resource.status_apart:
            body.pop("status", None)
        if live is None and body["metadata"].get("uid"):
            raise modified(resource, body["metadata"]["name"])
        if live is not None and body["metadata"].get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
            given = body["metadata"]["uid"]
            raise rules.invalid(
                resource, body["metadata"]["name"], "metadata.uid", f'Invalid value: "{given}": field is immutable'
            )
        _check_preconditions(resource, live, body)
        for key in ("uid", "resourceVersion"):
            body["metadata"].pop(key, None)
        result = ownership.apply(live, body, shape, manager, force=force, time=TIME)
        return self._store(resource, live, result, dry_run=dry_run)

    def write(self, resource: ApiResource, body: Body, owner: Owner, *, create: bool | None = None) -> Body:
        """Create or replace an object as a plain update; `create` says which of the two must be the case."""
        shape = self.shape(resource)
        body, live = self._admitted(resource, body)
        name = body["metadata"].get("name", "")
        if create and live is not None:
            raise AlreadyExists(f'{described(resource)} "{name}" already exists', status=409, reason="AlreadyExists")
        if create is False and live is None:
            raise missing(resource, name)
        rules.check(resource, body, shape)
        _check_preconditions(resource, live, body)
        if owner.subresource == "status" and live is not None:
            body = {**copy.deepcopy(live), "status": body.get("status") or {}}
        elif live is not None and "status" in live and self.settle(live) is not None:
            body["status"] = copy.deepcopy(live["status"])
        result = ownership.update(live, rules.completed(body, shape), shape, owner, time=TIME)
        return self._store(resource, live, result)

    def delete(self, resource: ApiResource, namespace: str, name: str, uid: str = "", version: str = "") -> None:
        """Delete an object, or mark it as being deleted where finalizers hold it."""
        self.shape(resource)
        live = self.find(resource, namespace, name)
        if live is None:
            raise missing(resource, name)
        for label, key, given in (("UID", "uid", uid), ("ResourceVersion", "resourceVersion", version)):
            if given and given != live["metadata"][key]:
                raise Conflict(
                    f'Operation cannot be fulfilled on {resource.kind} "{name}": the {label} in the precondition '
                    f"({given}) does not match the {label} in record ({live['metadata'][key]})",
                    status=409,
                    reason="Conflict",
                )
        if not live["metadata"].get("finalizers"):
            self._remove(resource, live)
        elif "deletionTimestamp" not in live["metadata"]:
            marked = copy.deepcopy(live)
            marked["metadata"] |= {"deletionTimestamp": TIME, "deletionGracePeriodSeconds": 0}
            self._put(resource, live, marked)

    def _admitted(self, resource: ApiResource, body: Body) -> tuple[Body, Body | None]:
        """Return a copy of the body with its namespace settled, and what is stored under that name."""
        body = copy.deepcopy(dict(body))
        metadata = body.setdefault("metadata", {})
        if resource.namespaced:
            namespace = metadata.get("namespace")
            if not namespace:
                raise unknown()
            if namespace not in {name for _, name in self.objects.get(GroupKind("", "Namespace"), {})}:
                raise NotFound(f'namespaces "{namespace}" not found', status=404, reason="NotFound")
        else:
            metadata.pop("namespace", None)
        return body, self.find(resource, metadata.get("namespace", ""), metadata.get("name", ""))

    def _store(self, resource: ApiResource, live: Body | None, new: Body, *, dry_run: bool = False) -> Body:
        """Finish a write: defaults, identity, generation; nothing happens where nothing differs."""
        new = rules.completed(new, self.shape(resource))
        metadata = new["metadata"]
        if live is None:
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": TIME}
        else:
            rules.check_update(resource, live, new)
            kept = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")
            metadata |= {key: live["metadata"][key] for key in kept if key in live["metadata"]}
        if (number := rules.generation(resource, live, new)) is not None:
            metadata["generation"] = number
        if live is not None and {**new, "apiVersion": ""} == {**live, "apiVersion": ""}:
            return self.seen(live, resource)
        if dry_run:
            return copy.deepcopy(new)
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self._remove(resource, new)
            return copy.deepcopy(new)
        self._put(resource, live, new)
        answer = self.seen(new, resource)
        self._settled(resource, new)
        return answer

    def _settled(self, resource: ApiResource, new: Body) -> None:
        status = self.settle(new)
        if status is not None and status != new.get("status"):
            owner = Owner("kube-controller-manager", "Update", new["apiVersion"], "status")
            body = ownership.update(
                new, {**copy.deepcopy(new), "status": status}, self.shape(resource), owner, time=TIME
            )
            self._put(resource, new, body)

    def _put(self, resource: ApiResource, live: Body | None, new: Body) -> None:
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        kind = GroupKind(resource.group, resource.kind)
        key = (new["metadata"].get("namespace", ""), new["metadata"]["name"])
        self.objects.setdefault(kind, {})[key] = new
        self.history.append(Happening(self.version, kind, live, new))

    def _remove(self, resource: ApiResource, last: Body) -> None:
        """Take an object away, and with it what it held: a namespace's objects, a kind's, an owner's dependents."""
        kind = GroupKind(resource.group, resource.kind)
        name = last["metadata"]["name"]
        if kind == GroupKind("", "Namespace"):
            self._delete_where(lambda body: body["metadata"].get("namespace") == name)
        if kind == CRD:
            served = {item.gvk.group_kind for item in kinds.of_crd(last)}
            self._delete_where(lambda body: GroupVersionKind.of(body).group_kind in served)
        self.version += 1
        gone = copy.deepcopy(last)
        gone["metadata"]["resourceVersion"] = str(self.version)
        del self.objects[kind][last["metadata"].get("namespace", ""), name]
        self.history.append(Happening(self.version, kind, gone, None))
        uid = last["metadata"]["uid"]
        self._delete_where(lambda body: any(o["uid"] == uid for o in body["metadata"].get("ownerReferences") or ()))

    def _delete_where(self, doomed: Callable[[Body], bool]) -> None:
        for body in list(itertools.chain.from_iterable(item.values() for item in self.objects.values())):
            if doomed(body):
                resource = self.resource(body["apiVersion"], body["kind"])
                self.delete(resource, body["metadata"].get("namespace", ""), body["metadata"]["name"])


def described(resource: ApiResource) -> str:
    """Return a kind as the server names it in messages: `deployments.apps`."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def unknown() -> ClusterError:
    """Return the error for a URL that leads to no collection."""
    return NotFound("the server could not find the requested resource", status=404, reason="NotFound")


def missing(resource: ApiResource, name: str) -> ClusterError:
    """Return the error for an object that is not there."""
    details: dict[str, object] = {"name": name, "group": resource.group, "kind": resource.plural}
    return NotFound(f'{described(resource)} "{name}" not found', status=404, reason="NotFound", details=details)


def modified(resource: ApiResource, name: str) -> ClusterError:
    """Return the error for a precondition that does not hold."""
    return Conflict(
        f'Operation cannot be fulfilled on {described(resource)} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        status=409,
        reason="Conflict",
    )


def _check_preconditions(resource: ApiResource, live: Body | None, body: Body) -> None:
    for key in ("uid", "resourceVersion"):
        given = body["metadata"].get(key)
        if live is not None and given and given != live["metadata"][key]:
            raise modified(resource, body["metadata"]["name"])
