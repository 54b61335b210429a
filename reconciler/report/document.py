"""Plans and reports as plain documents: the stable shape behind `-o json` and `-o yaml`.

docs/reference/json.md describes it; additions may come, nothing is renamed or removed within an apiVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.plan import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.identity import ObjectId
    from reconciler.model.origin import Origin
    from reconciler.model.outcome import Outcome, Report
    from reconciler.model.plan import Change, FieldChange, FieldConflict, Plan

Document = dict[str, Any]

REPORTED_VERBS = ("list", "get", "dry_run", "apply", "delete")


def plan_document(plan: Plan, requests: Mapping[str, int], commits: Mapping[tuple[str, int], str]) -> Document:
    """Return a plan as a document; `commits` holds the commit of each origin's file and line."""
    return {
        "environment": plan.environment,
        "revision": plan.revision,
        "plan": plan.id,
        "acknowledgement": plan.acknowledgement or None,
        "summary": plan.summary,
        "requests": request_document(requests),
        "changes": [
            change_document(item, commits)
            for item in plan.changes
            if item.action is not Action.UNCHANGED or item.problem
        ],
        "noted": [
            {"component": item.component, "id": id_document(item.id), "notes": list(item.notes)}
            for item in plan.changes
            if item.action is Action.UNCHANGED and item.notes
        ]
        + [{"component": item.component, "id": id_document(item.id), "notes": [item.note]} for item in plan.kept],
        "refusals": [
            {
                "rule": item.rule,
                "message": item.message,
                "hint": item.hint,
                "objects": [id_document(identity) for identity in item.ids],
                "acknowledgeable": item.acknowledgeable,
            }
            for item in plan.refusals
        ],
        "warnings": list(plan.warnings),
    }


def report_document(report: Report, plan: Plan) -> Document:
    """Return the end of an apply as a document."""
    return {
        "environment": report.environment,
        "revision": report.revision,
        "plan": report.plan_id,
        "summary": plan.summary,
        "requests": request_document(report.requests),
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "reason": report.reason,
        "components": {name: round(value, 3) for name, value in report.component_seconds.items()},
        "phases": {name: round(value, 3) for name, value in report.phases.items()},
        "warnings": list(report.warnings),
        "objects": [_outcome(item) for item in report.outcomes],
    }


def id_document(identity: ObjectId) -> Document:
    """Return an identity as a document; every key is always there."""
    return dict(identity._asdict())


def request_document(requests: Mapping[str, int]) -> dict[str, int]:
    """Return the requests by verb: the usual ones always, others where there were any."""
    return {verb: requests.get(verb, 0) for verb in REPORTED_VERBS} | {
        verb: count for verb, count in sorted(requests.items()) if verb not in REPORTED_VERBS
    }


def origin_document(origin: Origin | None, commits: Mapping[tuple[str, int], str]) -> Document | None:
    """Return an origin as a document; None where git has no say."""
    if origin is None:
        return None
    return {
        "file": origin.source.file,
        "line": origin.line,
        "layer": origin.source.layer,
        "by": origin.by,
        "commit": commits.get((origin.source.file, origin.line)),
    }


def change_document(change: Change, commits: Mapping[tuple[str, int], str]) -> Document:
    """Return one change as a document."""
    document: Document = {
        "action": str(change.action),
        "component": change.component,
        "id": id_document(change.id),
        "fields": [field_document(item, commits) for item in change.fields],
        "origin": origin_document(change.resource.origin, commits) if change.resource else None,
    }
    if change.conflicts:
        document["conflicts"] = [_conflict(item, commits) for item in change.conflicts]
    if change.moved_from:
        document["movedFrom"] = change.moved_from
    if change.held:
        document["held"] = change.held
    if change.problem:
        document["problem"] = change.problem
    if change.notes:
        document["notes"] = list(change.notes)
    return document


def field_document(field: FieldChange, commits: Mapping[tuple[str, int], str]) -> Document:
    """Return one field change as a document."""
    return {
        "path": field.path,
        "op": field.op,
        "old": field.old,
        "new": field.new,
        "origin": origin_document(field.origin, commits),
        "manager": field.manager,
        "when": field.when or None,
        "drift": field.drift,
    }


def _conflict(conflict: FieldConflict, commits: Mapping[tuple[str, int], str]) -> Document:
    return {
        "path": conflict.path,
        "manager": conflict.manager,
        "when": conflict.when or None,
        "ours": conflict.ours,
        "theirs": conflict.theirs,
        "origin": origin_document(conflict.origin, commits),
    }


def _outcome(outcome: Outcome) -> Document:
    return {
        "id": id_document(outcome.id),
        "component": outcome.component,
        "action": str(outcome.action),
        "result": str(outcome.result),
        "health": str(outcome.health.state) if outcome.health else None,
        "message": outcome.message or (outcome.health.message if outcome.health else ""),
        "seconds": round(outcome.seconds, 3),
    }
