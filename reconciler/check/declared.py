"""The rules that a repository declares itself, evaluated over what an environment renders."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from reconciler import cel
from reconciler.errors import Problem
from reconciler.model.marks import IGNORE_CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.environment import Environment
    from reconciler.environment.rules import PlacedRule, Selector
    from reconciler.model.resource import Desired, Resource


def broken(
    rules: Sequence[PlacedRule], environment: Environment, desired: Desired
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what breaks the rules: errors and warnings, in the order of files and lines."""
    objects = tuple(resource for _, resource in desired.resources)
    told = _environment(environment)
    known: dict[int, Any] = {}

    def value(resource: Resource) -> Any:
        if id(resource) not in known:
            known[id(resource)] = cel.value(resource.body)
        return known[id(resource)]

    found: dict[str, set[Problem]] = {"error": set(), "warning": set()}
    for placed in rules:
        selected = {
            name: [item for item in objects if _fits(selector, item)] for name, selector in placed.rule.select.items()
        }
        variables = {
            "environment": told,
            **{name: cel.listed(map(value, items)) for name, items in selected.items()},
        }
        found[placed.rule.severity].update(_judged(placed, selected, variables, value))
    return tuple(sorted(found["error"])), tuple(sorted(found["warning"]))


def _judged(
    placed: PlacedRule, selected: dict[str, list[Resource]], variables: dict[str, Any], value: Callable[[Resource], Any]
) -> Iterator[Problem]:
    rule = placed.rule
    if rule.each is None:
        told = next((item for items in selected.values() for item in items), None)
        yield from _problem(placed, told, variables)
        return
    for item in selected[rule.each]:
        if placed.name not in {part.strip() for part in item.annotations.get(IGNORE_CHECKS, "").split(",")}:
            yield from _problem(placed, item, {**variables, "object": value(item)})


def _problem(placed: PlacedRule, told: Resource | None, variables: dict[str, Any]) -> Iterator[Problem]:
    """Yield what one evaluation finds, at the object that it is about, or at the rule where there is none."""
    rule, at = placed.rule, f"rule {placed.name}, {placed.file}:{placed.line}"
    try:
        well = cel.holds(rule.expression, variables)
    except cel.CannotEvaluateError as error:
        about = f" for {told.id}" if rule.each is not None and told is not None else ""
        hint = "ask for a field with has() before it is used"
        yield Problem(placed.file, placed.line, f"rule {placed.name} cannot be evaluated{about}: {error}", hint)
        return
    if not well:
        origin = told.origin if told is not None else None
        file, line = (origin.source.file, origin.line) if origin is not None else (placed.file, placed.line)
        about = f"{told.id}: " if rule.each is not None and told is not None else ""
        yield Problem(file, line, f"{about}{rule.message} [{at}]", rule.hint)


def _fits(selector: Selector, item: Resource) -> bool:
    wanted = (selector.namespace, item.id.namespace), (selector.name, item.id.name)
    return (
        selector.group in (None, item.id.group)
        and selector.kind in (None, item.id.kind)
        and all(pattern is None or fnmatchcase(given, pattern) for pattern, given in wanted)
        and all(key in item.labels and value in ("*", item.labels[key]) for key, value in selector.labels.items())
    )


def _environment(environment: Environment) -> Any:
    return cel.value(
        {
            "name": environment.name,
            "labels": dict(environment.metadata.labels),
            "components": [component.name for component in environment.spec.components],
        }
    )
