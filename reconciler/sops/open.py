"""Putting the plain value in place of each encrypted one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, SourceError
from reconciler.model.origin import Source
from reconciler.model.resource import Desired
from reconciler.model.tree import Map
from reconciler.sops.encrypted import BEGIN, encrypted, problem, texts, without_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.files import FileTree
    from reconciler.model.resource import Resource

FIELDS: Final = ("data", "stringData")
"""What of a Secret may be encrypted."""


def opened(desired: Desired, files: FileTree, decrypt: Callable[[str, bytes], str]) -> Desired:
    """Return the same objects with plain values; raises ConfigError with everything that cannot be opened.

    `decrypt` is given a file's path and text. Only Secrets may be encrypted: what else a run shows is shown as it is.
    """
    if not any(encrypted(item) for _, item in desired.resources):
        return desired
    known: dict[str, Mapping[str, Any]] = {}
    problems: list[Any] = []

    def each(resource: Resource) -> Resource:
        if not encrypted(resource):
            return resource
        try:
            return _opened(resource, files, decrypt, known)
        except ConfigError as error:
            problems.extend(error.problems)
            return resource

    components = {name: tuple(map(each, items)) for name, items in desired.components.items()}
    if problems:
        raise ConfigError(problems)
    return Desired(desired.environment, desired.revision, components, desired.warnings)


def _opened(
    resource: Resource, files: FileTree, decrypt: Callable[[str, bytes], str], known: dict[str, Mapping[str, Any]]
) -> Resource:
    if resource.id.group_kind != ("", "Secret"):
        raise problem(resource, "is encrypted by SOPS and no Secret", "its values would be shown: encrypt Secrets only")
    if resource.origin is None:
        raise problem(resource, "is encrypted by SOPS, and the file that it comes from is not known")
    file = resource.origin.source.file
    if file not in known:
        try:
            text = files.read(file)
            known[file] = dict(_pairs(_parsed(file, text), _parsed(file, decrypt(file, text).encode())))
        except SourceError as error:
            raise problem(resource, str(error)) from error
    plain = known[file]
    made = _plain(resource, plain)
    if any(texts(made.body)):
        told = f"holds an encrypted value outside of {' and '.join(FIELDS)}, or one that is not in {file}"
        raise problem(
            resource, told, f"encrypt with --encrypted-regex '^({'|'.join(FIELDS)})$', and no value by a patch"
        )
    return made


def _parsed(file: str, text: bytes) -> Any:
    return yaml.parse(text, Source(file, ""))


def _pairs(cipher: Any, plain: Any) -> Iterator[tuple[str, Any]]:
    """Yield each encrypted text with what it stands for."""
    if isinstance(cipher, str) and cipher.startswith(BEGIN):
        yield cipher, plain
    elif isinstance(cipher, dict) and isinstance(plain, dict):
        for key, value in cipher.items():
            yield from _pairs(value, plain.get(key))
    elif isinstance(cipher, list) and isinstance(plain, list):
        for one, other in zip(cipher, plain, strict=False):
            yield from _pairs(one, other)


def _plain(resource: Resource, plain: Mapping[str, Any]) -> Resource:
    """Return a Secret with the plain text in place of each encrypted one, each with the line that it had."""
    bare = without_key(resource)
    for field in FIELDS:
        values = bare.body.get(field)
        if isinstance(values, dict):
            twin = Map({key: plain.get(value, value) for key, value in values.items()})
            twin.origins = dict(getattr(values, "origins", {}))
            bare.body[field] = twin
    return bare
