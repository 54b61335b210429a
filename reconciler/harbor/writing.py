"""Making Harbor as one custom resource says. What is to be made is announced in its status first, and noted after it.

Harbor has no resourceVersions. So an object is read right before it is written, all that git does not declare is sent back
as it was read, and what was written is read again: where it is not as declared, that is an error and no silence.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import AlreadyExists, ClusterError, NotFound
from reconciler.harbor import endpoint
from reconciler.harbor.kinds import KINDS, NOTHING, References, full_name, name_of
from reconciler.harbor.overlay import counted, declared, digest
from reconciler.harbor.ownership import Claim, claim, told
from reconciler.harbor.passwords import secret_of
from reconciler.harbor.quantities import storage
from reconciler.model.applyset import FIELD_MANAGER
from reconciler.model.harbor import GROUP, POLICY, PROJECT, REGISTRY, ROBOT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reconciler.cluster.port import Body, Cluster
    from reconciler.harbor.kinds import Kind, Spec
    from reconciler.harbor.port import Harbor, Item

Status = dict[str, Any]
ADOPT: Final = "take it out of git, or add harbor to policy.adopt in environment.yaml"


class Writer:
    """Writes to one Harbor. `note` keeps a status in the cluster; `adopts` says whether what others made may be taken."""

    def __init__(
        self, harbor: Harbor, cluster: Cluster, note: Callable[[Body, Status], Awaitable[Body]], *, adopts: bool
    ) -> None:
        """Begin; nothing is sent yet."""
        self._harbor, self._cluster, self._note, self._adopts = harbor, cluster, note, adopts

    async def write(self, body: Body, item: Item | None) -> Status:
        """Make Harbor as a custom resource says; returns the status to be noted. Raises ClusterError.

        `item` is what Harbor has now under its name.
        """
        kind, status = KINDS[body["kind"]], body.get("status") or {}
        spec: Spec = {**self._dropped(kind, status, body["spec"]), **body["spec"]}
        secrets = await self._credentials(body, spec)
        if item is None:
            return await self._created(kind, body, spec, secrets)
        standing = claim(kind, status, item)
        if standing is Claim.FOREIGN and not self._adopts:
            raise AlreadyExists(f"{self._harbor.name} has it already ({told(kind, item)}), not of our making: {ADOPT}")
        item = await self._updated(kind, body, (spec, item), secrets)
        result = self._status(kind, body, item, secrets)
        if body["kind"] == ROBOT:
            result |= await self._kept(body, item, standing)
        return result

    async def delete(self, body: Body) -> None:
        """Delete from Harbor what a custom resource stands for, where it is ours; by its id, never by its name."""
        kind = KINDS[body["kind"]]
        try:
            item = await self.current(body)
        except NotFound:
            return  # the project that it was of is gone, and it with that
        if item is None or claim(kind, body.get("status") or {}, item) is Claim.FOREIGN:
            return
        with suppress(NotFound):
            await self._harbor.delete(f"{kind.path}/{kind.id_of(item)}")

    async def current(self, body: Body) -> Item | None:
        """Return what Harbor has now under an object's name."""
        kind, name = KINDS[body["kind"]], full_name(body)
        query = {"q": f"name={name}"}
        project = name.partition("+")[0] if "+" in name else ""
        if project:
            owner = await self._one(KINDS[PROJECT].path, {"q": f"name={project}"}, project)
            if owner is None:
                raise NotFound(f"{self._harbor.name} has no project {project}, which the account is of")
            query = {"q": f"Level=project,ProjectID={owner['project_id']}"}
        found = await self._one(kind.path, query, name)
        return await self._harbor.get(f"{kind.path}/{kind.id_of(found)}") if found is not None else None

    async def _one(self, path: str, query: Mapping[str, str], name: str) -> Item | None:
        return next((item for item in await self._harbor.list(path, query) if name_of(item) == name), None)

    async def _created(self, kind: Kind, body: Body, spec: Spec, secrets: Spec) -> Status:
        known = await self._known(body["kind"], spec)
        content = kind.content(body["metadata"]["name"], spec, known)
        if body["kind"] == POLICY:
            content = {"enabled": True, **content}
        if body["kind"] == REGISTRY and secrets:
            content["credential"] = {
                "type": secrets["type"],
                "access_key": secrets["key"],
                "access_secret": secrets["secret"],
            }
        announced = {"id": None, "made": None, "creating": self._harbor.now, "given": None}
        body = await self._note(body, announced)
        made = await self._harbor.create(kind.path, content)
        status: Status = {}
        if body["kind"] == ROBOT:  # before anything else: it is not told again
            name, password = made.content.get("name", ""), made.content.get("secret", "")
            status["secretVersion"] = await self._keep(body, name, password)
        item = await self._harbor.get(f"{kind.path}/{made.id}")
        return self._status(kind, body, item, secrets) | status

    async def _updated(self, kind: Kind, body: Body, wanted: tuple[Spec, Item], secrets: Spec) -> Item:
        """Write what differs, and read it again."""
        spec, item = wanted
        path = f"{kind.path}/{kind.id_of(item)}"
        known = await self._known(body["kind"], spec, item)
        stale = body["kind"] == REGISTRY and _credential_differs(body.get("status") or {}, item, secrets)
        if declared(spec, kind.shown(item, known)) == spec and not stale:
            return item
        if body["kind"] == PROJECT:
            await self._project(item, spec)
        elif body["kind"] == REGISTRY:
            await self._harbor.replace(path, _registry_update(body["metadata"]["name"], spec, secrets))
        else:
            name = item["name"] if body["kind"] == ROBOT else body["metadata"]["name"]
            whole = {**kind.shown(item, known), **spec}
            if "destination" in spec:
                whole["destination"] = {**kind.shown(item, known)["destination"], **spec["destination"]}
            await self._harbor.replace(path, {"id": kind.id_of(item), **kind.content(name, whole, known)})
        item = await self._harbor.get(path)
        after = declared(spec, kind.shown(item, await self._known(body["kind"], spec, item)))
        if after != spec:
            fields = ", ".join(sorted(name for name in spec if after.get(name) != spec[name]))
            raise ClusterError(
                f"{self._harbor.name} did not keep what it was given, or somebody changed it in the same moment: {fields}"
            )
        return item

    async def _project(self, item: Item, spec: Spec) -> None:
        content = KINDS[PROJECT].content(item["name"], {**spec, "proxyCache": _speed(spec)}, NOTHING)
        if content["metadata"]:
            await self._harbor.replace(f"/projects/{item['project_id']}", {"metadata": content["metadata"]})
        if "storageQuota" in spec:
            query = {"reference": "project", "reference_id": str(item["project_id"])}
            for quota in await self._harbor.list("/quotas", query):
                if _hard(quota) != storage(spec["storageQuota"]):
                    hard = {"hard": {"storage": storage(spec["storageQuota"])}}
                    await self._harbor.replace(f"/quotas/{quota['id']}", hard)

    async def _known(self, kind: str, spec: Spec, item: Item | None = None) -> References:
        """Return the ids and amounts that an object's fields are about."""
        named = kind == POLICY or bool(spec.get("proxyCache"))
        registries = await self._harbor.list(KINDS[REGISTRY].path) if named else []
        quotas: dict[int, int] = {}
        if kind == PROJECT and item is not None and "storageQuota" in spec:
            query = {"reference": "project", "reference_id": str(item["project_id"])}
            found = await self._harbor.list("/quotas", query)
            quotas = dict.fromkeys([item["project_id"]], next(map(_hard, found), -1))
        return References({found["id"]: found["name"] for found in registries}, quotas)

    async def _credentials(self, body: Body, spec: Spec) -> Spec:
        """Return the account at another registry, from the Secret that a HarborRegistry names."""
        reference = spec.get("credentials")
        if body["kind"] != REGISTRY or not reference:
            return {}
        metadata, name = body["metadata"], reference["secret"]
        words = f"HarborRegistry/{metadata['name']} -n {metadata['namespace']}"
        try:
            found = await self._cluster.get(endpoint.SECRETS, metadata["namespace"], name)
        except NotFound as error:
            raise NotFound(
                f"Secret/{name} -n {metadata['namespace']}, which it names, is not in the cluster: make it with the "
                "account's name and password (docs/guides/harbor.md)"
            ) from error
        data = found.get("data") or {}
        return {
            "type": reference.get("type", "basic"),
            "key": endpoint.value(data, reference.get("usernameKey", "username"), name, words),
            "secret": endpoint.value(data, reference.get("passwordKey", "password"), name, words),
            "version": found["metadata"]["resourceVersion"],
        }

    async def _kept(self, body: Body, item: Item, standing: Claim) -> Status:
        """See to it that the password of a robot account is in its Secret: where it cannot be, a new one is made."""
        version = (body.get("status") or {}).get("secretVersion")
        try:
            found = await self._cluster.get(endpoint.SECRETS, body["metadata"]["namespace"], secret_of(body))
        except NotFound:
            found = None
        if found is not None and standing is Claim.OURS and version is not None:
            return {"secretVersion": version}
        answer = await self._harbor.change(f"/robots/{item['id']}", {"secret": ""})
        return {"secretVersion": await self._keep(body, item["name"], answer.get("secret", ""))}

    async def _keep(self, body: Body, name: str, password: str) -> str:
        """Keep a robot account's name and password in its Secret; it goes with the custom resource."""
        if not password:
            raise ClusterError(f"{self._harbor.name} gave no secret for the robot account {name}")
        metadata = body["metadata"]
        owner = {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": False,
        }
        kept = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/basic-auth",
            "metadata": {
                "name": secret_of(body),
                "namespace": metadata["namespace"],
                "ownerReferences": [owner],
                "annotations": {f"{GROUP}/robot": name},
            },
            "data": {"username": _encoded(name), "password": _encoded(password)},
        }
        made = await self._cluster.apply(endpoint.SECRETS, kept, field_manager=FIELD_MANAGER, force=True)
        version: str = made["metadata"]["uid"]
        return version

    def _status(self, kind: Kind, body: Body, item: Item, secrets: Spec) -> Status:
        fields = sorted(name for name in body["spec"] if name in kind.defaults)
        noted = {"id": kind.id_of(item), "made": item.get("creation_time"), "creating": None, "fields": fields}
        about = _credential_noted(secrets) if body["kind"] == REGISTRY else {}
        return noted | {"given": digest(body["spec"])} | counted(item) | about

    @staticmethod
    def _dropped(kind: Kind, status: Mapping[str, Any], spec: Mapping[str, Any]) -> Spec:
        """Return the defaults of fields that Harbor was given before and that git does not have any more."""
        return {name: kind.defaults[name] for name in status.get("fields") or () if name not in spec}


def _hard(quota: Item) -> int:
    amount: int = (quota.get("hard") or {}).get("storage", -1)
    return amount


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _speed(spec: Spec) -> Spec:
    """Return what of a proxy cache may change: how fast it reads. Its registry is for ever."""
    return {key: value for key, value in (spec.get("proxyCache") or {}).items() if key == "speedKb"}


def _registry_update(name: str, spec: Spec, secrets: Spec) -> Item:
    content: Item = {"name": name, **{key: spec[key] for key in ("url", "insecure", "description") if key in spec}}
    if secrets:
        content |= {
            "credential_type": secrets["type"],
            "access_key": secrets["key"],
            "access_secret": secrets["secret"],
        }
    return content


def _credential_noted(secrets: Spec) -> Status:
    return {"credentialVersion": secrets.get("version"), "accessKey": secrets.get("key")}


def _credential_differs(status: Mapping[str, Any], item: Item, secrets: Spec) -> bool:
    if not secrets:
        return False
    there = (item.get("credential") or {}).get("access_key")
    return bool(status.get("credentialVersion") != secrets["version"]) or bool(there != secrets["key"])
