"""YAML written by libyaml, with go-yaml's choice of styles: the writer for what is unusual."""

from __future__ import annotations

from typing import Any, Final

import yaml as pyyaml

from reconciler.model.tree import Map, Seq
from reconciler.yaml.scalars import ambiguous, canonical, natural

WIDTH: Final = 80


class _Dumper(pyyaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _represent_str(dumper: pyyaml.SafeDumper, text: str) -> pyyaml.Node:
    style = "|" if "\n" in text else '"' if ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_plain(dumper: pyyaml.SafeDumper, value: Any) -> pyyaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", canonical(value))


class _MergeKey(str):
    """The key `<<`, which is quoted so that it does not merge when it is read."""

    __slots__ = ()


def _represent_merge_key(dumper: pyyaml.SafeDumper, text: str) -> pyyaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


def _represent_map(dumper: pyyaml.SafeDumper, value: dict[str, Any]) -> pyyaml.Node:
    items = [(_MergeKey(key) if key == "<<" else key, item) for key, item in value.items()]
    return dumper.represent_mapping("tag:yaml.org,2002:map", sorted(items, key=lambda item: natural(item[0])))


def _represent_seq(dumper: pyyaml.SafeDumper, value: list[Any]) -> pyyaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value)


_REPRESENTERS: Final[dict[type, Any]] = {
    dict: _represent_map,
    Map: _represent_map,
    list: _represent_seq,
    Seq: _represent_seq,
    tuple: _represent_seq,
    str: _represent_str,
    _MergeKey: _represent_merge_key,
    **dict.fromkeys((bool, int, float, type(None)), _represent_plain),
}
for _type, _representer in _REPRESENTERS.items():
    _Dumper.add_representer(_type, _representer)
_Dumper.yaml_implicit_resolvers = {}  # which plain scalars are no strings is decided here, not by PyYAML


def dump(value: Any) -> str:
    """Return a value as YAML in block style."""
    text: str = pyyaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=WIDTH)
    return _ended(text)


def dump_flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text: str = pyyaml.dump(value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=1 << 30)
    return _ended(text).rstrip("\n")


def _ended(text: str) -> str:
    """Take off the mark that libyaml puts behind an open end; go-yaml puts none."""
    return text.removesuffix("...\n") if text.endswith("\n...\n") else text
