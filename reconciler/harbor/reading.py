"""One look at one Harbor: each collection is read once, when it is first needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from reconciler.harbor.kinds import KINDS, NOTHING, References, full_name, name_of
from reconciler.model.harbor import PROJECT, REGISTRY, ROBOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.cluster.port import Body
    from reconciler.harbor.port import Harbor, Item

QUOTAS: Final = "/quotas"


class Reading:
    """What one Harbor has, as far as it was asked."""

    def __init__(self, harbor: Harbor) -> None:
        """Begin with nothing read."""
        self.harbor = harbor
        self._lists: dict[tuple[str, str], asyncio.Task[list[Item]]] = {}

    async def find(self, bodies: Iterable[Body]) -> dict[tuple[str, str], Item | None]:
        """Return, by kind and name in the cluster, what Harbor has of some objects."""
        bodies = list(bodies)
        names = {(body["kind"], self._level(body)) for body in bodies}
        found = dict(zip(names, await asyncio.gather(*(self._named(*name) for name in names)), strict=True))
        return {
            (body["kind"], body["metadata"]["name"]): found[body["kind"], self._level(body)].get(full_name(body))
            for body in bodies
        }

    async def references(self, kind: str, bodies: Iterable[Body]) -> References:
        """Return what objects of a kind are read with: only what their fields ask for is listed."""
        specs = [body.get("spec") or {} for body in bodies]
        if kind != PROJECT:
            return NOTHING
        registries = await self.registries() if any("proxyCache" in spec for spec in specs) else {}
        quotas: dict[int, int] = {}
        if any("storageQuota" in spec for spec in specs):
            for item in await self._list(QUOTAS, {"reference": "project"}):
                quotas[(item.get("ref") or {}).get("id", 0)] = (item.get("hard") or {}).get("storage", -1)
        return References(registries, quotas)

    async def registries(self) -> dict[int, str]:
        """Return the names of all registries by id."""
        return {item["id"]: item["name"] for item in await self._list(KINDS[REGISTRY].path)}

    async def _named(self, kind: str, project: str) -> dict[str, Item]:
        query: dict[str, str] = {}
        if project:
            known = {item["name"]: item["project_id"] for item in await self._list(KINDS[PROJECT].path)}
            if project not in known:
                return {}
            query = {"q": f"Level=project,ProjectID={known[project]}"}
        return {name_of(item): item for item in await self._list(KINDS[kind].path, query)}

    async def _list(self, path: str, query: Mapping[str, str] | None = None) -> list[Item]:
        key = (path, str(sorted((query or {}).items())))
        if key not in self._lists:
            self._lists[key] = asyncio.create_task(self.harbor.list(path, query))
        return await self._lists[key]

    @staticmethod
    def _level(body: Body) -> str:
        """Return the project that a robot account is of; "" for everything else."""
        spec = body.get("spec") or {}
        return str(spec.get("project", "")) if body["kind"] == ROBOT and spec.get("level") == "project" else ""
