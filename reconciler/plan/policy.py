"""What refuses a plan as a whole, before the first write."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reconciler.model.plan import Action, Refusal
from reconciler.plan.cases import State
from reconciler.plan.words import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.environment import Environment
    from reconciler.model.identity import ObjectId
    from reconciler.model.plan import Change
    from reconciler.model.resource import Desired
    from reconciler.plan.cases import Case


SMALL: Final = 4  # objects; of a component with fewer any part may go


def waits(environment: Environment, changes: Sequence[Change], closed: str) -> Iterator[Refusal]:
    """Yield why a plan that changes something may not be carried out at present: suspended, or outside of its windows."""
    ids = tuple(change.id for change in changes if change.acts)
    if ids and environment.spec.suspend:
        hint = "take spec.suspend out of environment.yaml"
        yield Refusal("suspended", f"environment {environment.name} is suspended", hint, ids, acknowledgeable=True)
    if ids and closed:
        hint = "wait for the window, or change policy.windows in environment.yaml"
        yield Refusal("window", f"{counted(len(ids))} would change, and {closed}", hint, ids, acknowledgeable=True)


def refusals(
    desired: Desired,
    environment: Environment,
    cases: Sequence[Case],
    deletions: Sequence[Change],
    replaced: Sequence[Change],
    owned: Mapping[ObjectId, str],
) -> tuple[Refusal, ...]:
    """Return every reason to refuse, so that all are told at once; `replaced` are objects that are to be made anew."""
    return (
        *_foreign(cases),
        *_emptied(desired, environment, owned),
        *_shrunken(desired, environment, deletions, owned),
        *_protected(environment, deletions),
        *_protected_anew(environment, replaced),
        *_budget(environment, deletions, owned),
    )


def _foreign(cases: Sequence[Case]) -> Iterator[Refusal]:
    by_owner: dict[tuple[str, str], list[ObjectId]] = {}
    for case in cases:
        if case.state is State.FOREIGN:
            by_owner.setdefault((case.standing.owner, case.standing.hint), []).append(case.resource.id)
    for (owner, hint), ids in by_owner.items():
        yield Refusal("foreign-owner", f"{listed(ids)} exists and belongs to {owner}", hint, tuple(ids))


def _emptied(desired: Desired, environment: Environment, owned: Mapping[ObjectId, str]) -> Iterator[Refusal]:
    counts = Counter(owned.values())
    for component in environment.spec.components:
        if component.suspend or not component.prune:
            continue
        if counts[component.name] and not desired.components.get(component.name):
            yield Refusal(
                "empty-render",
                f"component {component.name} renders nothing, but owns {counted(counts[component.name])} in the cluster",
                "bring its resources back, or take the component out of environment.yaml to delete its objects",
                tuple(identity for identity, name in owned.items() if name == component.name),
                acknowledgeable=True,
            )


def _shrunken(
    desired: Desired, environment: Environment, deletions: Sequence[Change], owned: Mapping[ObjectId, str]
) -> Iterator[Refusal]:
    """Yield the components that lose most of their objects though they are still listed: a source that lost its files."""
    counts, most = Counter(owned.values()), environment.policy.deletions.shrink
    for component in environment.spec.components:
        owns = counts[component.name]
        ids = tuple(
            item.id
            for item in deletions
            if item.component == component.name and item.action is Action.DELETE and not item.terminating
        )
        if owns < SMALL or len(ids) * 100 <= owns * most or not desired.components.get(component.name):
            continue
        yield Refusal(
            "shrunken-source",
            f"component {component.name} would lose {len(ids)} of the {counted(owns)} that it owns, and more than "
            f"{most} percent at once is more than anybody means",
            "look whether its sources are complete; raise policy.deletions.shrink if this is to be the rule",
            ids,
            acknowledgeable=True,
        )


def _protected(environment: Environment, deletions: Sequence[Change]) -> Iterator[Refusal]:
    protected = environment.policy.deletions.protect
    by_kind: dict[str, list[ObjectId]] = {}
    for change in deletions:
        if change.action is Action.DELETE and change.id.kind in protected:
            by_kind.setdefault(change.id.kind, []).append(change.id)
    for kind, ids in by_kind.items():
        yield Refusal(
            "protected",
            f"{listed(ids)} would be deleted, and {kind} is a protected kind",
            "bring it back, or keep it with the annotation reconciler.dev/prune: disabled (or orphan) on the live "
            "object; accepted, it is deleted after everything else is gone, and only if nothing needs it any more",
            tuple(ids),
            acknowledgeable=True,
        )


def _protected_anew(environment: Environment, replaced: Sequence[Change]) -> Iterator[Refusal]:
    protected = environment.policy.deletions.protect
    by_kind: dict[str, list[ObjectId]] = {}
    for change in replaced:
        if change.id.kind in protected and not change.problem:
            by_kind.setdefault(change.id.kind, []).append(change.id)
    for kind, ids in by_kind.items():
        yield Refusal(
            "protected",
            f"{listed(ids)} would be deleted and made anew, and {kind} is a protected kind",
            "change back what may not change; accepted, it is deleted only if nothing is lost that needs it",
            tuple(ids),
            acknowledgeable=True,
        )


def _budget(environment: Environment, deletions: Sequence[Change], owned: Mapping[ObjectId, str]) -> Iterator[Refusal]:
    budget = environment.policy.deletions.budget(len(owned))
    ids = tuple(change.id for change in deletions if change.action is Action.DELETE and not change.terminating)
    if len(ids) > budget:
        yield Refusal(
            "budget",
            f"{len(ids)} of {counted(len(owned))} would be deleted, the budget is {budget}",
            "look at the deletes; raise policy.deletions in environment.yaml if this is to be the rule",
            ids,
            acknowledgeable=True,
        )
