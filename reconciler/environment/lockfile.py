"""vendor.lock.yaml: which commit each branch or tag of a remote base stands for, for the whole repository.

The file is written by `reconciler vendor`. Only its section `bases` is read here; others are kept as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ConfigError, Problem
from reconciler.model.origin import Source
from reconciler.model.tree import Map, origin_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.files import FileTree
    from reconciler.model.remote import RepoSpec

PATH: Final = "vendor.lock.yaml"
SECTION: Final = "bases"
KEYS: Final = ("url", "ref", "commit")
HEADING: Final = "# Written by `reconciler vendor`; --update resolves branches and tags anew.\n"

Key = tuple[str, str]
"""A repository and a branch or tag of it."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of a lock file; `rest` are the sections of others."""

    bases: Mapping[Key, str] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    def commit(self, spec: RepoSpec) -> str | None:
        """Return the commit that a specification is pinned to; None where nobody has resolved it."""
        return spec.pinned or self.bases.get(key(spec))


def key(spec: RepoSpec) -> Key:
    """Return what the lock file knows a specification by; without user and password."""
    return spec.place, spec.ref


def read(files: FileTree) -> Lock:
    """Read the lock file of a repository, empty where there is none; raises ConfigError with all that is wrong."""
    if not files.is_file(PATH):
        return Lock()
    documents = [item for item in yaml.parse(files.read(PATH), Source(PATH, "")) if item is not None]
    if not documents:
        return Lock()
    if len(documents) > 1 or not isinstance(documents[0], Map):
        raise ConfigError([Problem(PATH, 1, "expected one document, a mapping", _HINT)])
    body = documents[0]
    entries = body.get(SECTION) or []
    if not isinstance(entries, list):
        raise ConfigError([_problem(body, (SECTION,), f"{SECTION} has to be a list")])
    problems = [problem for index in range(len(entries)) for problem in _wrong(body, index)]
    if problems:
        raise ConfigError(problems)
    bases = {(item["url"], item["ref"]): item["commit"] for item in entries}
    return Lock(bases, {name: value for name, value in body.items() if name != SECTION})


def write(lock: Lock) -> str:
    """Return the text of a lock file: bases sorted, sections by name; "" where nothing is locked."""
    entries = [{"url": url, "ref": ref, "commit": commit} for (url, ref), commit in sorted(lock.bases.items())]
    sections = {**lock.rest, **({SECTION: entries} if entries else {})}
    return HEADING + yaml.dump({name: sections[name] for name in sorted(sections)}) if sections else ""


_HINT: Final = "mend it by hand, or remove it and run `reconciler vendor`"


def _wrong(body: Map, index: int) -> Iterator[Problem]:
    entry = body[SECTION][index]
    where = (SECTION, index)
    if not isinstance(entry, dict) or set(entry) != set(KEYS) or not all(isinstance(entry[item], str) for item in KEYS):
        yield _problem(body, where, f"{SECTION}[{index}] has to hold the strings {', '.join(KEYS)}, and nothing else")
    elif not _COMMIT.fullmatch(entry["commit"]):
        yield _problem(body, (*where, "commit"), f"{entry['commit']!r} is no commit: expected 40 digits from 0 to f")
    elif any((item["url"], item["ref"]) == (entry["url"], entry["ref"]) for item in body[SECTION][:index]):
        yield _problem(body, where, f"{entry['url']} at {entry['ref']} is there twice")


def _problem(body: Map, steps: tuple[str | int, ...], message: str) -> Problem:
    origin = origin_at(body, steps)
    return Problem(PATH, origin.line if origin is not None else 1, message, _HINT)
