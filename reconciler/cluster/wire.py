"""JSON that a YAML reader takes for what it is: the body of an apply, which the server reads as YAML.

YAML takes nearly every JSON text for the same value. The exceptions are characters that JSON may hold as they are: of these
YAML folds line breaks of its own (U+0085, U+2028, U+2029) into spaces, and refuses others as not printable (YAML 1.2, 5.1
and 5.4; go.yaml.in/yaml, readerc.go). Escaped, they arrive.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from reconciler.cluster.port import Body

_UNSAFE: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef(?:\xbb\xbf|\xbf[\xbe\xbf])")
"""In UTF-8: U+007F to U+009F, U+2028 and U+2029, U+FEFF, U+FFFE and U+FFFF."""


def encoded(body: Body) -> bytes:
    """Return an object as JSON that is the same object as YAML."""
    text = orjson.dumps(body)
    if text.isascii() and b"\x7f" not in text:
        return text
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[bytes]) -> bytes:
    return f"\\u{ord(found[0].decode()):04x}".encode()
