"""Reading a document of ours strictly: what its model makes of it, or all that is wrong with it, each with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from reconciler.errors import Problem
from reconciler.model.tree import origin_at

if TYPE_CHECKING:
    from collections.abc import Sequence

Model = TypeVar("Model")


def validated(model: type[Model], document: Any, path: str) -> tuple[Model | None, list[Problem]]:
    """Return a document as a model, or all that is wrong with it, each with its line."""
    try:
        return msgspec.convert(document, model), []
    except msgspec.ValidationError:  # it names the first mistake only
        from reconciler.environment.mistakes import mistakes

        return None, [
            Problem(path, line_of(document, item.steps), item.message, item.hint) for item in mistakes(model, document)
        ]


def line_of(document: Any, steps: Sequence[str | int]) -> int:
    """Return the line of a place in a document that was read with origins; 1 where it has none."""
    origin = origin_at(document, steps)
    return origin.line if origin is not None else 1
