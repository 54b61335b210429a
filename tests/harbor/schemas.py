"""What Harbor's API says that its contents look like, as PyPI's `harborapi` has it from Harbor's own description.

Neither the client nor the test server is asked: every content of every request and answer is held to these models. The
models themselves let unknown fields pass, so fields are also held to the names that they know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborapi.models import models
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEWER: Final[Mapping[str, frozenset[str]]] = {
    "ReplicationPolicy": frozenset({"single_active_replication"}),
    "Robot": frozenset(),
}
"""Fields of Harbor 2.15 that harborapi 0.26 (Harbor 2.11) does not know yet."""


def problems(model: type[BaseModel], content: Any) -> list[str]:
    """Return what of a content is not as Harbor's API says."""
    if isinstance(content, list):
        return [problem for item in content for problem in problems(model, item)]
    try:
        model.model_validate(_labelled(model, content))
    except ValidationError as error:
        return [f"{model.__name__}: {line['loc']} {line['msg']}" for line in error.errors()]
    return [f"{model.__name__} has no field {name}" for name in _unknown(model, content)]


def _labelled(model: type[BaseModel], content: Any) -> Any:
    """Return a policy whose label filters have a text: harborapi's model knows no lists there, and Harbor's Go code does."""
    if model is not models.ReplicationPolicy or not isinstance(content, dict):
        return content
    filters = [
        {**item, "value": ",".join(item["value"])} if isinstance(item.get("value"), list) else item
        for item in content.get("filters") or ()
    ]
    return {**content, "filters": filters}


def _unknown(model: type[BaseModel], content: Any) -> Iterator[str]:
    if not isinstance(content, dict) or issubclass(model, models.QuotaRefObject | models.ResourceList):
        return
    for name, value in content.items():
        field = model.model_fields.get(name)
        if field is None:
            if name not in NEWER.get(model.__name__, ()):
                yield name
            continue
        inner = _model(field.annotation)
        if inner is not None:
            for item in value if isinstance(value, list) else [value]:
                yield from (f"{name}.{below}" for below in _unknown(inner, item))


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model within an annotation such as `Optional[List[Access]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model(inner)) is not None:
            return found
    return None
