"""Storage as Kubernetes writes it (`100Gi`) and as Harbor counts it: bytes, -1 for without limit."""

from __future__ import annotations

import re
from typing import Final

from reconciler.errors import Invalid

_FORM: Final = re.compile(r"(\d+)(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
_UNITS: Final[dict[str, int]] = {
    "": 1,
    **{letter: 1000 ** (power + 1) for power, letter in enumerate("kMGTP")},
    **{f"{letter}i": 1024 ** (power + 1) for power, letter in enumerate("KMGTP")},
}
UNLIMITED: Final = "-1"


def storage(text: str) -> int:
    """Return how many bytes a text stands for; raises Invalid."""
    if text == UNLIMITED:
        return -1
    match = _FORM.fullmatch(text)
    if match is None:
        raise Invalid(f"storageQuota {text!r} is no amount of storage: write 100Gi, or -1 for without limit")
    amount: int = int(match[1]) * _UNITS[match[2] or ""]
    return amount


def storage_text(amount: int) -> str:
    """Return an amount of bytes in the largest binary unit in which it is whole."""
    if amount <= 0:
        return UNLIMITED if amount < 0 else "0"
    for unit in ("Pi", "Ti", "Gi", "Mi", "Ki"):
        if amount % _UNITS[unit] == 0:
            return f"{amount // _UNITS[unit]}{unit}"
    return str(amount)
