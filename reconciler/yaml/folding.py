"""Folded scalars (`>`) as Kustomize gives them.

Kustomize writes and reads each resource again on its way out, and go-yaml 3 writes a folded scalar with one line break
more than it has where a line that is indented more follows; the break stays. The text of such a scalar is therefore not
quite what YAML says, and what Kustomize gives is given here, too.
"""

from __future__ import annotations

import re
from typing import Final

_BREAKS: Final = re.compile(r"(\n+)")
_BLANK: Final = (" ", "\t")


def rewritten(text: str) -> str:
    """Return a folded scalar's text after go-yaml has written and read it."""
    first = text.lstrip("\n")
    plain = bool(first) and not first.startswith(_BLANK)
    if plain and "\n " not in text and "\n\t" not in text and not text.endswith("\n\n"):
        return text
    parts = _BREAKS.split(text)
    made = [parts[0]]
    for index in range(1, len(parts), 2):
        before, breaks, after = parts[index - 1 : index + 2]
        extra = plain and bool(before) and not before.startswith(_BLANK)
        count = len(breaks) + extra
        if before and after and not before.startswith(_BLANK) and not after.startswith(_BLANK):
            made.append("\n" * (count - 1) or " ")  # the first break between two plain lines is a space
        else:
            made.append("\n" * (count if after or len(breaks) > 1 else len(breaks)))
        made.append(after)
    return "".join(made)
