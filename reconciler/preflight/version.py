"""Kubernetes versions, and which of them work together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDER_KUBELETS: Final = 3
"""How many minors a kubelet may be behind the API server (https://kubernetes.io/releases/version-skew-policy/)."""

_FORM: Final = re.compile(r"^v?(\d+)\.(\d+)")


class Minor(NamedTuple):
    """A minor version."""

    major: int
    minor: int

    @classmethod
    def of(cls, text: str) -> Minor | None:
        """Read `v1.36.4`, `1.36` or `v1.35.2-eks-1234`; None where it is no version."""
        match = _FORM.match(text)
        return cls(int(match[1]), int(match[2])) if match is not None else None

    def __str__(self) -> str:
        """Return `1.36`."""
        return f"{self.major}.{self.minor}"


def spec_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's spec; an empty one where it has none, or none that is a mapping."""
    spec = body.get("spec")
    return spec if isinstance(spec, dict) else {}


def is_of(found: str, wanted: str) -> bool:
    """Whether a version is the wanted one, which may name its first parts only."""
    plain = found.removeprefix("v")
    return plain == wanted or plain.startswith((f"{wanted}.", f"{wanted}-", f"{wanted}+"))
