"""The kinds that a policy names by hand: one that nothing has protects nothing, and nobody would notice."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

from reconciler.check.world import builtin, mapping
from reconciler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.environment import Environment
    from reconciler.model.resource import Desired

_LIKE: Final = 0.8
"""How much of two names has to be the same, of 1: two letters of Secret changed places, one of Role replaced is less."""


def misnamed(environment: Environment, desired: Desired) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what cannot be meant as it is written, and what only nothing is known of: errors and warnings.

    A kind that neither Kubernetes has nor the environment renders may be a custom one of the cluster.
    """
    errors: list[Problem] = []
    warnings: list[Problem] = []
    known = frozenset(_known(desired)) if environment.kinds else frozenset()
    for kind, at, line in environment.kinds:
        if kind in known:
            continue
        near = _meant(kind, known)
        message = f"{at} names {kind}, which is no kind"
        if near or not re.fullmatch("[A-Z][A-Za-z0-9]*", kind):
            hint = f"did you mean {near}?" if near else "expected a kind as objects name it, e.g. PersistentVolumeClaim"
            errors.append(Problem(environment.file, line, message, hint))
        else:
            message += " of Kubernetes, and of nothing that this environment renders"
            warnings.append(Problem(environment.file, line, message, "correct it, unless the cluster has it"))
    return tuple(errors), tuple(warnings)


def _known(desired: Desired) -> Iterator[str]:
    yield from (name.rpartition("/")[2] for name in builtin())
    for _, resource in desired.resources:
        yield resource.id.kind
        if resource.id.kind == "CustomResourceDefinition":
            yield str(mapping(mapping(resource.body.get("spec")).get("names")).get("kind"))


def _meant(given: str, known: Collection[str]) -> str:
    """Return the kind that is written in lower case, in the plural, or with a letter wrong; "" where none is evident.

    Names that differ in length are other kinds: StorageClass and StorageCluster.
    """
    lower = given.lower()
    for kind in sorted(known):
        name = kind.lower()
        if lower in (name, f"{name}s", f"{name}es", f"{name.removesuffix('y')}ies"):
            return kind
    near = [kind for kind in sorted(known) if abs(len(kind) - len(given)) <= 1]
    return next(iter(difflib.get_close_matches(given, near, 1, _LIKE)), "")
