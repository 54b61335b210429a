"""From a look and the server's answer to one change of the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Conflict, Invalid
from reconciler.model.harbor import pending
from reconciler.model.managers import shares
from reconciler.model.marks import ALLOWED, REPLACE
from reconciler.model.observation import Prediction
from reconciler.model.path import format_path
from reconciler.model.plan import Action, Change
from reconciler.plan import immutable, mask, premature, settling
from reconciler.plan.cases import State
from reconciler.plan.conflicts import told
from reconciler.plan.fields import NOTHING_TAKEN, Comparison, changes
from reconciler.plan.losses import losses, stopped
from reconciler.plan.predict import violations
from reconciler.plan.takeover import takeover

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.errors import ClusterError
    from reconciler.model.plan import FieldChange
    from reconciler.model.schema import Schema
    from reconciler.plan.cases import Case
    from reconciler.plan.differences import Difference

NO_DRY_RUN = "does not support dry run"  # of a webhook with sideEffects; the server's words
UNPROCESSABLE: Final = 422
UNASKED: Final = Prediction()
SHOWN: Final = 5  # fields that a message names
HALF: Final = 150  # characters of either end of the server's words


def answer(case: Case, prediction: Prediction | None) -> Change:
    """Return what happens to one wanted object."""
    live = case.live or {}
    metadata = live.get("metadata") or {}
    change = Change(
        Action.UNCHANGED,
        case.component,
        case.resource.id,
        case.resource,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
    )
    if case.state is State.SAME:
        return change
    if case.state is State.LEFT:
        return replace(change, notes=("left alone: reconciler.dev/reconcile is disabled",))
    if case.state is State.BROKEN:
        return replace(change, action=Action.UPDATE if case.live else Action.CREATE, problem=case.problem)
    if case.state is State.ABSENT:
        return _created(case, change, prediction)
    if case.state is State.FOREIGN:
        return replace(change, action=Action.UPDATE, problem=f"belongs to {case.standing.owner}: {case.standing.hint}")
    return _updated(case, change, prediction)


def _created(case: Case, change: Change, prediction: Prediction | None) -> Change:
    custom = case.served is None or case.coming is not None
    problems = violations(case.resource, case.coming or case.schema, custom=custom, whole=prediction is None)
    notes: tuple[str, ...] = ()
    if custom:
        state = "changes with this plan" if case.served else "does not exist yet"
        notes = (f"the kind {state}; checked against its definition in git",)
    error = prediction.error if prediction is not None else None
    if blind := _unpredictable(error):
        notes = (*notes, *blind)
    elif error is not None:
        words = mask.server_words(case.resource.id, error)
        if isinstance(error, Invalid | Conflict) and not error.denied:
            if error.status == UNPROCESSABLE or not problems:  # else it is the schema, which was told with its lines
                problems = (*problems, words)
        elif not problems:  # what else is applied before may change its mind
            notes = (*notes, premature.told(words))
    return replace(change, action=Action.CREATE, notes=notes, problem="; ".join(problems))


def _updated(case: Case, change: Change, prediction: Prediction | None) -> Change:
    live = case.live or {}
    standing = case.standing
    marks = not (standing.owner or standing.moved_from)
    taken = takeover(standing.owner, live, case.resource.body) if standing.owner else None
    comparison = Comparison(case.resource, live, case.schema, taken or NOTHING_TAKEN, marks)
    change = replace(
        change,
        action=Action.MOVE if standing.moved_from else Action.UPDATE,
        moved_from=standing.moved_from,
        takeover=taken,
        notes=_notes(case),
    )
    prediction = prediction or UNASKED
    blind = _unpredictable(prediction.error)
    force = case.force or prediction.forced
    if case.refused or (prediction.error is not None and not blind):
        return _failed(case, replace(change, force=force, fields=changes(comparison, None)), prediction.error)
    body = prediction.body
    change = replace(
        change,
        force=force,
        shares=shares(live) if force or taken is not None else frozenset(),
        fields=changes(comparison, body),
        notes=(*change.notes, *blind),
    )
    if case.served is None:
        return _in_a_new_version(case, change)
    if prediction is UNASKED or not marks:
        return change
    after = live if body is None else body
    lost = settling.overridden(case.resource, after, case.schema) if not blind else ()
    if not blind and (body is None or _substance(body) == _substance(live)):
        return replace(
            change, action=Action.UNCHANGED, force=False, fields=(), notes=settling.told(case.resource, lost)
        )
    if why := pending(live):
        change = replace(change, notes=(*change.notes, why))
    elif body is not None and not change.fields:
        change = replace(change, notes=(*change.notes, _silent(body, live)))
    if blind or _only(lost, change):
        return _unsettled(case, change, lost, applied=prediction.applied)
    return replace(change, notes=(*change.notes, *settling.told(case.resource, lost)))


def _in_a_new_version(case: Case, change: Change) -> Change:
    """Return the change of an object that git has in a version that the same plan adds to its kind."""
    note = f"{case.resource.gvk.api_version} does not exist yet; checked against its definition in git"
    problems = violations(case.resource, case.schema, custom=True)
    return replace(change, notes=(*change.notes, note), problem="; ".join(problems))


def _unsettled(case: Case, change: Change, lost: Sequence[Difference], *, applied: bool) -> Change:
    """Return the change of an object that will differ from git after an apply too; applied once, it is left as it is."""
    notes = (*change.notes, *settling.told(case.resource, lost))
    if applied and not any(field.manager for field in change.fields):
        notes = (
            *notes,
            "this content of git was applied before: it is not applied again until git or somebody changes it",
        )
        return replace(change, action=Action.UNCHANGED, force=False, fields=(), notes=notes, settles=False)
    return replace(change, notes=notes, settles=False)


def _only(lost: Sequence[Difference], change: Change) -> bool:
    """Whether git differs, and every field that would change is one in which the server puts another value."""
    paths = {format_path(item.path) for item in lost}
    return bool(lost) and all(field.path in paths for field in change.fields)


def _unpredictable(error: ClusterError | None) -> tuple[str, ...]:
    """Return why a dry-run could not be made at all; nothing where it could, or where it failed for another reason."""
    if isinstance(error, Invalid) and NO_DRY_RUN in str(error):
        return (f"cannot be predicted: {error}; compared without the server",)
    return ()


def _failed(case: Case, change: Change, error: ClusterError | None) -> Change:
    if case.refused:
        return replace(change, conflicts=case.refused, problem=told(case.refused))
    if error is None:
        return change
    words = mask.server_words(case.resource.id, error)
    if isinstance(error, Conflict):
        return replace(change, problem=f"conflict: {words}")
    if case.coming is not None and isinstance(error, Invalid) and not immutable.refused(error, case.schema):
        return _by_old_definition(case, change, case.coming, words)
    if isinstance(error, Invalid):
        words = "; ".join((*violations(case.resource, case.schema, custom=False), words))
    if immutable.refused(error, case.schema):
        return _immutable(case, change, error, words)
    return replace(change, problem=words)


def _by_old_definition(case: Case, change: Change, coming: Schema, words: str) -> Change:
    """Return a change that the server judged by a definition that this plan changes: git's definition tells what holds."""
    problems = violations(case.resource, coming, custom=True)
    if problems:
        return replace(change, problem="; ".join((*problems, words)))
    note = f"its definition changes with this plan, and allows it; {premature.told(words)}"
    return replace(change, notes=(*change.notes, note))


def _immutable(case: Case, change: Change, error: ClusterError, words: str) -> Change:
    """Return a change of what may not change: the object is made anew where its annotation allows that, else refused."""
    named = immutable.fields(error, change.fields, case.schema)
    which = "; ".join(map(_place, named[:SHOWN])) or "; ".join(immutable.names(error, case.schema)[:SHOWN]) or words
    live = case.live or {}
    lost = ", ".join(filter(None, (stopped(live), *losses(live))))
    if others := immutable.others(error, case.schema):
        also = words if mask.is_secret(case.resource.id) else _short("; ".join(others))
        told = (
            f"an immutable field changes: {which}; nothing is made anew, since it would be invalid all the same: {also}"
        )
        return replace(change, problem=told)
    if case.resource.annotations.get(REPLACE) == ALLOWED:
        note = f"an immutable field changes ({which}): the object is deleted and made anew (reconciler.dev/replace: allowed)"
        warning = (f"lost with it: {lost}",) if lost else ()
        return replace(change, action=Action.REPLACE, notes=(*change.notes, note, *warning))
    price = f", which loses {lost}" if lost else ""
    way_out = f'annotate the object with reconciler.dev/replace: "allowed" to delete and make it anew{price}'
    said = f"; the server: {_short(words)}" if which != words else ""
    return replace(change, problem=f"an immutable field changes: {which} (change it back, or {way_out}){said}")


def _short(words: str) -> str:
    """Return the server's words in one line of bearable length: some quote a whole Pod before they say what is wrong."""
    line = words.partition("\n")[0].strip()
    return line if len(line) <= 2 * HALF else f"{line[:HALF]} … {line[-HALF:]}"


def _place(field: FieldChange) -> str:
    return f"{field.path} ({field.origin})" if field.origin is not None else field.path


def _notes(case: Case) -> tuple[str, ...]:
    notes: list[str] = []
    if case.standing.owner:
        notes.append(f"exists already and is adopted (policy.adopt: {case.standing.owner})")
    notes.extend(
        f"{format_path(clash.path)} is left to {clash.entry.manager}{'' if clash.soft else ' (policy.conflicts)'}"
        for clash in case.yielded
    )
    return tuple(notes)


def _silent(body: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """Return why an object is to be written although no field of git's changes."""
    predicted, current = _substance(body), _substance(live)
    predicted["metadata"].pop("managedFields")
    current["metadata"].pop("managedFields")
    if predicted == current:
        return "no value changes; which fields are ours does"
    return "the server changes fields that git does not set"


def _substance(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what changes by itself: versions, and the times in managedFields."""
    metadata = {
        key: value
        for key, value in body["metadata"].items()
        if key not in ("resourceVersion", "generation", "managedFields")
    }
    managed = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in body["metadata"].get("managedFields") or ()
    ]
    managed.sort(key=lambda entry: (entry.get("manager", ""), entry.get("operation", ""), entry.get("subresource", "")))
    return {**body, "metadata": {**metadata, "managedFields": managed}}
