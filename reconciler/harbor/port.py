"""The port to one Harbor: its REST API, as much of it as declared objects need.

`harbor.wire` is its only adapter. Every method raises the ClusterError tree with Harbor's own words. Safe requests are sent
again where that helps (429, 5xx, a lost connection); a write only where it certainly did not arrive, or may be repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Item = dict[str, Any]


class Created(NamedTuple):
    """What Harbor said of a new object: its id (from the header Location), and the content of the answer."""

    id: int
    content: Item


class Harbor(Protocol):
    """One Harbor, as one account."""

    @property
    def name(self) -> str:
        """What to call it in messages: its address."""

    @property
    def now(self) -> str:
        """The time of its last answer by its own clock (ISO 8601, UTC); "" before the first one."""

    def guarded(self, guard: Callable[[], None] | None) -> Harbor:
        """Return the same connection, with `guard` called before every try of a write; what it raises ends the write."""

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> list[Item]:
        """Read a whole collection, page by page."""

    async def get(self, path: str) -> Item:
        """Read one object."""

    async def create(self, path: str, content: Item) -> Created:
        """Make one object (201)."""

    async def replace(self, path: str, content: Item) -> None:
        """Write one object (PUT); may be repeated."""

    async def change(self, path: str, content: Item) -> Item:
        """Change one object (PATCH) and return the answer; not repeated."""

    async def delete(self, path: str) -> None:
        """Delete one object."""

    async def close(self) -> None:
        """Release connections."""
