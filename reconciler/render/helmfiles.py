"""The files of a chart: of a directory of the repository, or of a pinned archive; and the pins themselves."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.errors import ChartError, ConfigError, Problem, RenderError
from reconciler.model.charts import ChartFiles, Pin
from reconciler.model.origin import Source
from reconciler.model.tree import Map, origin_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.files import FileTree

LOCK: Final = "vendor.lock.yaml"
"""At the root of the repository: `charts` lists the archives that may be used, each with its digest."""

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 64 << 20  # of a chart, unpacked; a release of Helm's own may hold 1 MiB
MAX_DEPTH: Final = 32
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_KEYS: Final = ("repo", "name", "version", "digest")


def of_directory(files: FileTree, directory: str) -> ChartFiles:
    """Return the files below a directory; raises RenderError where they are too many or too large for a chart."""
    found: list[tuple[str, bytes]] = []
    size = 0
    for path in walk(files, directory):
        content = files.read(path)
        size += len(content)
        if len(found) == MAX_FILES or size > MAX_BYTES:
            limits = f"more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB"
            raise RenderError([Problem(directory, 0, f"the chart has {limits}")])
        found.append((posixpath.relpath(path, directory), content))
    return tuple(sorted(found))


def walk(files: FileTree, directory: str, depth: int = 0) -> Iterator[str]:
    """Yield the path of each file below a directory."""
    if depth > MAX_DEPTH:
        raise RenderError([Problem(directory, 0, f"is nested more than {MAX_DEPTH} levels deep in a chart")])
    for name in files.entries(directory):
        path = posixpath.join(directory, name)
        if files.is_dir(path):
            yield from walk(files, path, depth + 1)
        elif files.is_file(path):
            yield path


def of_archive(content: bytes, name: str) -> ChartFiles:
    """Return the files of a packed chart; raises ChartError where it is none, or holds what no chart may hold."""
    found: dict[str, bytes] = {}
    size = count = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r|gz") as tar:
            for member in tar:
                count += 1
                size += max(member.size, 0)
                if count > MAX_FILES or size > MAX_BYTES:
                    raise ChartError(f"the archive has more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB")
                if (path := _place(member, name)) and (file := tar.extractfile(member)) is not None:
                    found[path] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ChartError(f"the archive cannot be read: {error}") from error
    return tuple(sorted(found.items()))


def _place(member: tarfile.TarInfo, name: str) -> str:
    """Return where a member lies in the chart; "" for a directory."""
    path = posixpath.normpath(member.name)
    if member.isdir() or member.type == tarfile.XGLTYPE:
        return ""
    top, _, rest = path.partition("/")
    if not member.isreg() or path.startswith(("/", "..")) or top != name or not rest:
        raise ChartError(f"the archive holds {member.name!r}: expected files in the directory {name}")
    return rest


def pinned(files: FileTree, repo: str, name: str, version: str) -> Pin | None:
    """Return the pin of a chart; raises RenderError with all that is wrong with the lock file."""
    wanted = (repo.rstrip("/"), name, version)
    return next((pin for pin in pins(files) if (pin.repo, pin.name, pin.version) == wanted), None)


def pins(files: FileTree) -> tuple[Pin, ...]:
    """Return the charts of the lock file; none where there is no such file."""
    if not files.is_file(LOCK):
        return ()
    try:
        document = next(iter(yaml.parse(files.read(LOCK), Source(LOCK, ""))), None)
    except ConfigError as error:
        raise RenderError(error.problems) from error
    entries = (document.get("charts") if isinstance(document, Map) else document) or []
    if not isinstance(entries, list):
        raise RenderError([Problem(LOCK, 1, "charts has to be a list")])
    problems = [
        Problem(LOCK, line.line if (line := origin_at(document, ("charts", index))) else 1, message)
        for index, entry in enumerate(entries)
        if (message := _wrong(entry))
    ]
    if problems:
        raise RenderError(problems)
    return tuple(Pin(item["repo"].rstrip("/"), item["name"], item["version"], item["digest"]) for item in entries)


def _wrong(entry: Any) -> str:
    """Return what is wrong with an entry of the lock file; "" where nothing is."""
    if not isinstance(entry, Map) or set(entry) != set(_KEYS) or not all(isinstance(entry[key], str) for key in _KEYS):
        return f"an entry of charts has the strings {', '.join(_KEYS)}, and nothing else"
    if not _DIGEST.fullmatch(entry["digest"]):
        return f"the digest is {entry['digest']}: expected sha256: and 64 hexadecimal digits"
    return ""


def chart_name(files: ChartFiles) -> str:
    """Return the name that Chart.yaml gives; raises ChartError where there is none."""
    content = dict(files).get("Chart.yaml")
    if content is None:
        raise ChartError("it has no Chart.yaml")
    try:
        document = next(iter(yaml.parse(content, Source("Chart.yaml", ""))), None)
    except ConfigError as error:
        raise ChartError(str(error)) from error
    name = document.get("name") if isinstance(document, Map) else None
    if not isinstance(name, str) or not name:
        raise ChartError("its Chart.yaml has no name")
    return name
