"""The hash at the end of a generated name, as kubectl and Kustomize compute it from the content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from reconciler.model.origin import Origin

if TYPE_CHECKING:
    from reconciler.model.tree import Map
    from reconciler.render.item import Item

LENGTH: Final = 10
_SAFE: Final = str.maketrans({"0": "g", "1": "h", "3": "k", "a": "m", "e": "t"})  # no words that offend somebody
_HTML: Final = {
    b"<": rb"\u003c",
    b">": rb"\u003e",
    b"&": rb"\u0026",
    "\u2028".encode(): rb"\u2028",
    "\u2029".encode(): rb"\u2029",
}


def rename(item: Item) -> None:
    """Put the hash of what an object holds behind its name, if it is to have one and has none yet."""
    if item.hashed:
        origin = Origin(item.origin.source, item.origin.line, "hash")
        item.remember()
        item.metadata.put("name", f"{item.name.name}-{suffix(item.body)}", origin)
        item.hashed = False


def suffix(body: Map) -> str:
    """Return the hash of a ConfigMap, a Secret, or any other object."""
    kind = body.get("kind")
    if kind == "ConfigMap":
        content: Any = {"kind": kind, "name": "", "data": "" if body.get("data") is None else body["data"]}
        content |= {"binaryData": body["binaryData"]} if body.get("binaryData") else {}
    elif kind == "Secret":
        content = {
            "kind": kind,
            "type": body.get("type", ""),
            "name": "",
            "data": "" if body.get("data") is None else body["data"],
        }
        content |= {"stringData": body["stringData"]} if body.get("stringData") else {}
    else:
        content = body
    digest = hashlib.sha256(_go_json(content)).hexdigest()
    return digest[:LENGTH].translate(_SAFE)


def _go_json(value: Any) -> bytes:
    """Return JSON as Go writes it: sorted keys, no spaces, HTML characters escaped."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _HTML.items():
        text = text.replace(plain, escaped)
    return text
