"""What is not the same in two environments, field by field, with the place that sets it on each side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from reconciler.model.identity import ObjectId
    from reconciler.model.origin import Origin


@dataclass(frozen=True, slots=True)
class Side:
    """A value in one of the two environments; `given` is False where it has none."""

    value: Any = None
    origin: Origin | None = None
    given: bool = True


@dataclass(frozen=True, slots=True)
class FieldSkew:
    """One field that differs. Values of Secrets are masked before they get here."""

    path: str
    left: Side
    right: Side

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that make the difference: one where a layer sets what the other environment does not have."""
        found = (side.origin.source.layer for side in (self.left, self.right) if side.given and side.origin is not None)
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class ObjectSkew:
    """An object that differs, or that only one of the two has. `left` and `right` name the components, "" for none."""

    id: ObjectId
    left: str
    right: str
    fields: tuple[FieldSkew, ...] = ()
    origin: Origin | None = None  # of an object that only one side has

    @property
    def only(self) -> Literal["left", "right", ""]:
        """The side that alone has the object."""
        if self.left and self.right:
            return ""
        return "left" if self.left else "right"


@dataclass(frozen=True, slots=True)
class Skew:
    """Two environments side by side. `same` counts the objects that are equal in both."""

    left: str
    right: str
    settings: tuple[FieldSkew, ...]
    objects: tuple[ObjectSkew, ...]
    same: int

    @property
    def empty(self) -> bool:
        """Whether the two are the same."""
        return not (self.settings or self.objects)

    @property
    def layers(self) -> dict[str, int]:
        """How many differences each layer makes, most first."""
        fields = [*self.settings, *(item for entry in self.objects for item in entry.fields)]
        counts = Counter(layer for item in fields for layer in item.layers)
        counts.update(item.origin.source.layer for item in self.objects if item.origin is not None)
        return dict(counts.most_common())
