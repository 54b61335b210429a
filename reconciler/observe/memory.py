"""What dry-runs have shown to change nothing, so that the same question costs no request again.

One small file per cluster and environment: by object, the digest of what was asked and the live resourceVersion, or
APPLIED where it was applied and the server did not keep it. A file that is damaged or cannot be written costs the memory
and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.model.identity import ObjectId
    from reconciler.model.observation import Question
    from reconciler.model.plan import Change

APPLIED: Final = "applied"
LIMIT: Final = 100_000  # objects remembered; more than that begins anew


class Memory:
    """The memory of one environment on one cluster."""

    def __init__(self, path: Path | None, known: dict[str, list[str]]) -> None:
        """Begin with what is known; without a path nothing is kept."""
        self._path = path
        self._known = known
        self._accepted: set[str] = set()  # new objects that the server would take, as far as this process has asked

    @classmethod
    def open(cls, folder: Path, cluster: str, environment: str) -> Memory:
        """Read the memory of an environment on the cluster of this name."""
        name = hashlib.sha256(f"{cluster}\n{environment}".encode()).hexdigest()[:32]
        path = folder / f"{name}.json"
        try:
            found = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            found = {}
        return cls(path, found if isinstance(found, dict) else {})

    def knows(self, question: Question) -> bool:
        """Whether this very question about the object as it is was answered with "nothing changes"."""
        kept = self._known.get(_key(question.id))
        return kept is not None and kept == [_digest(question.body, force=question.force), question.resource_version]

    def applied(self, question: Question) -> bool:
        """Whether this very content was applied before and not kept by the server."""
        kept = self._known.get(_key(question.id))
        return kept is not None and kept == [_digest(question.body, force=question.force), APPLIED]

    def accepts(self, question: Question) -> bool:
        """Whether the server said in this process that it would take this new object."""
        return not question.resource_version and _digest(question.body, force=question.force) in self._accepted

    def keep_accepted(self, question: Question) -> None:
        """Remember that the server would take a new object."""
        if not question.resource_version and len(self._accepted) < LIMIT:
            self._accepted.add(_digest(question.body, force=question.force))

    def keep(self, questions: Iterable[Question]) -> None:
        """Remember questions whose answer was that nothing changes."""
        self._keep(
            {
                _key(item.id): [_digest(item.body, force=item.force), item.resource_version]
                for item in questions
                if item.resource_version
            }
        )

    def keep_applied(self, changes: Iterable[Change]) -> None:
        """Remember changes that were applied and whose values the server does not keep."""
        self._keep(
            {
                _key(item.id): [_digest(item.resource.body, force=item.force), APPLIED]
                for item in changes
                if item.resource is not None
            }
        )

    def _keep(self, fresh: dict[str, list[str]]) -> None:
        if not fresh or all(self._known.get(key) == value for key, value in fresh.items()):
            return
        self._known = fresh if len(self._known) > LIMIT else {**self._known, **fresh}
        if self._path is not None:
            self._write(self._path)

    def _write(self, path: Path) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(orjson.dumps(self._known))
            part.replace(path)
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _key(identity: ObjectId) -> str:
    return "/".join(identity)


def _digest(body: dict[str, Any], *, force: bool) -> str:
    content = orjson.dumps([body, force], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()
