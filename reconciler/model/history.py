"""The record of an environment's runs, as it is kept in the cluster (`apply.history`): what changed, by what, how long.

It holds names of objects and paths of fields, and no value of any field, so that nothing secret can be in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Changed:
    """One object that a run was to change: `fields` are the first paths that differed, with the `file:line` of git."""

    action: str
    object: str
    component: str
    result: str
    fields: tuple[str, ...] = ()
    more: int = 0  # fields that are not named

    def document(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "action": self.action,
            "object": self.object,
            "component": self.component,
            "result": self.result,
            "fields": list(self.fields),
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Run:
    """One run that wrote an object, or that came to another end than the one before it.

    `started` and `finished` are RFC 3339 in UTC, all other times seconds; `result` is one of applied, failed, interrupted.
    `components` counts results by component, `spent` are the seconds of each, `phases` those of render, observe, plan,
    apply and prune. `changed` are the first objects, `more` the number of those that are not named.
    """

    revision: str | None
    plan_id: str
    holder: str
    started: str
    finished: str
    seconds: float
    result: str
    components: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    spent: Mapping[str, float] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    changed: tuple[Changed, ...] = ()
    more: int = 0
    wrote: bool = True  # an object: what is only refused again and again changes nothing

    def count(self, result: str) -> int:
        """Return how many objects came to a result."""
        return sum(counts.get(result, 0) for counts in self.components.values())

    def same_end(self, other: Run) -> bool:
        """Whether two runs came to the same end with the same commit, or with the same plan where there is none."""
        same = self.plan_id == other.plan_id if self.revision is None else self.revision == other.revision
        return same and (self.revision, self.result) == (other.revision, other.result)

    def document(self) -> dict[str, Any]:
        """Return the record as a document."""
        return {
            "revision": self.revision,
            "plan": self.plan_id,
            "holder": self.holder,
            "started": self.started,
            "finished": self.finished,
            "seconds": round(self.seconds, 3),
            "result": self.result,
            "components": {name: dict(counts) for name, counts in self.components.items()},
            "componentSeconds": _rounded(self.spent),
            "phases": _rounded(self.phases),
            "requests": dict(self.requests),
            "changed": [item.document() for item in self.changed],
            "more": self.more,
            "wrote": self.wrote,
        }


def parse(document: Mapping[str, Any]) -> Run:
    """Read a record; raises KeyError, TypeError or ValueError where it is none."""
    return Run(
        document["revision"],
        str(document["plan"]),
        str(document["holder"]),
        str(document["started"]),
        str(document["finished"]),
        float(document["seconds"]),
        str(document["result"]),
        {name: dict(counts) for name, counts in document["components"].items()},
        dict(document["componentSeconds"]),
        dict(document["phases"]),
        dict(document["requests"]),
        tuple(map(_changed, document["changed"])),
        int(document["more"]),
        bool(document.get("wrote", True)),  # older records do not say
    )


def _changed(document: Mapping[str, Any]) -> Changed:
    action, named, component, result = (str(document[key]) for key in ("action", "object", "component", "result"))
    return Changed(action, named, component, result, tuple(map(str, document["fields"])), int(document["more"]))


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}
