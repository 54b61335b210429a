"""Remote bases: what a URL in a kustomization means, and the port that gives the files of its pinned commit.

The rules of the URLs are Kustomize's (`api/internal/git/repospec.go` of 5.8): a query with `ref`, `timeout` and
`submodules`; a host with or without a scheme; a repository that ends at `_git/<name>`, at `//` or at `.git`, or else
after two segments; the rest is the directory in it. Where Kustomize would carry on with a guess, this is stricter: a
password in the URL and a query that cannot be read are refused.
"""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from reconciler.model.files import FileTree

FILE_HOST: Final = "file://"
"""What an allow-list calls repositories of this machine."""
DEFAULT_REF: Final = "HEAD"
WAY_IN: Final = (
    "name the host under spec.render.remotes of environment.yaml (of a directory: --allow-remote HOST), or copy the "
    "directory into the repository"
)

_SCHEMES: Final = ("ssh://", "https://", "http://", "file://")
_PORTS: Final = {"ssh": 22, "https": 443, "http": 80}
_SEGMENTS: Final = 2  # of a repository's path where nothing marks its end, as at GitHub
_USER: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*@")
_NAME: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.~%+-]*")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{40}")
_NO_REF: Final = re.compile(r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$|(^|/)\.|\.lock(/|$)")
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
_PERCENT: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
_MEANT: Final = re.compile(r"://|^git::|\?(ref|version)=|^(www\.)?(gitlab\.com|bitbucket\.org)[:/]", re.IGNORECASE)
_MOUNT: Final = re.compile(r"([a-z]+://.*?@[0-9a-f]{12})(?:/(.*))?$", re.DOTALL)
_MANIFEST: Final = (".yaml", ".yml", ".json")


class NotRemote(ValueError):
    """An entry that Kustomize does not take as the URL of a repository; the text says why."""


@dataclass(frozen=True, slots=True)
class RepoSpec:
    """A directory of a remote repository at a branch, tag or commit.

    `url` is what git is given, `host` what an allow-list has to name: the host's name in lower case, with its port
    where that is not the scheme's own; `file://` for repositories of this machine. `place` is the repository without
    user and suffix, as people are told of it. `path` is relative to the repository's root, "" for itself. `timeout`
    is in seconds, None where the URL does not say.
    """

    url: str
    host: str
    place: str
    path: str = ""
    ref: str = DEFAULT_REF
    timeout: float | None = None
    submodules: bool = True

    @property
    def pinned(self) -> str:
        """The commit that the URL itself names in full; "" where it names a branch or a tag."""
        return self.ref.lower() if _COMMIT.fullmatch(self.ref) else ""

    @property
    def shown(self) -> str:
        """The repository and what of it is meant."""
        return f"{self.place} at {self.ref}"


class Pinned(NamedTuple):
    """The files of a repository at a commit (40 hex digits)."""

    commit: str
    files: FileTree


class Remotes(Protocol):
    """The port that the render stage asks for remote bases; it does not fetch."""

    def pinned(self, spec: RepoSpec) -> Pinned:
        """Return the files that a specification is pinned to.

        Raises ConfigError, without a place, where the host is not allowed, no commit is known or its files are not
        there.
        """


def parse(entry: str) -> RepoSpec:
    """Return what a URL means; raises NotRemote."""
    if entry.startswith("/"):
        raise NotRemote("it is an absolute path")
    if _CONTROL.search(entry):
        raise NotRemote("it holds white space or a control character")
    address, _, query = entry.partition("?")
    if "#" in address or "\\" in address:  # programs do not agree on what is the host of such a URL
        raise NotRemote("it holds a # or a backslash")
    prefix, rest = _prefix(address)
    repository, path = _parts(rest, prefix)
    url = prefix + repository
    host, place = _host(url)
    ref, timeout, submodules = _query(query)
    return RepoSpec(url, host, place, path, ref, timeout, submodules)


def find(entry: str) -> RepoSpec | None:
    """Return what an entry means as a URL; None where it is a path."""
    if not ("://" in entry or "@" in entry or entry[:4].lower() in ("git:", "gith")):
        return None
    try:
        return parse(entry)
    except NotRemote:
        return None


def is_file(entry: str) -> bool:
    """Whether an entry is the URL of one file, which Kustomize would get by HTTP."""
    address = entry.partition("?")[0]
    marked = "_git/" in address or ".git/" in address or "//" in address.partition("://")[2]
    return address.lower().startswith(("https://", "http://")) and address.lower().endswith(_MANIFEST) and not marked


def looks_remote(entry: str) -> bool:
    """Whether somebody who writes this means a URL, be it a right one or not."""
    return bool(_MEANT.search(entry))


def shown(entry: str) -> str:
    """Return an entry without user and password."""
    return _USERINFO.sub("", entry)


def joined(directory: str, path: str) -> str | None:
    """Return the normal form of a path from a directory; None where it leads out of that directory's tree.

    A directory of a remote base is `<mount>/<path>`, and its tree ends at the mount; see `mount`.
    """
    root, inner = split(directory)
    normal = posixpath.normpath(posixpath.join(inner, path))
    if normal == ".." or normal.startswith(("../", "/")):
        return None
    if normal == ".":
        return root
    return f"{root}/{normal}" if root else normal


def mount(spec: RepoSpec, commit: str) -> str:
    """Return the name that a commit's files have among those of a build, e.g. https://host/org/repo@0123456789ab."""
    return f"{spec.place}@{commit[:12]}"


def split(path: str) -> tuple[str, str]:
    """Return the mount and the path in it; the mount of the repository's own files is ""."""
    found = _MOUNT.match(path) if "://" in path else None
    return (found[1], found[2] or "") if found else ("", path)


def _prefix(address: str) -> tuple[str, str]:
    """Split an address into scheme, user and host as git takes them, and the path at the host."""
    address = address[5:] if address[:5].lower() == "git::" else address
    scheme = next((item for item in _SCHEMES if address[: len(item)].lower() == item), "")
    rest = address[len(scheme) :]
    if scheme == FILE_HOST:
        return scheme, rest
    found = _USER.match(rest)
    user = found[0] if found else ""
    rest = rest[len(user) :]
    github = rest[:11].lower() in ("github.com/", "github.com:")
    by_colon = not scheme and (bool(user) or github)
    if not scheme and not by_colon:
        raise NotRemote("it has no scheme such as https://")
    end = rest.find("/")
    colon = rest.find(":") if by_colon else -1
    if by_colon and (end < 0 or 0 < colon < end):
        end = colon
    host, rest = (rest[: end + 1], rest[end + 1 :]) if end >= 0 else (rest, "")
    if not host.strip("/:"):
        raise NotRemote("it names no host")
    if github:
        if scheme == "ssh://" or user:
            return f"{user}github.com:", rest
        return "https://github.com/", rest
    return scheme + user + host, rest


def _parts(rest: str, prefix: str) -> tuple[str, str]:
    """Split the path at a host into the repository and the directory in it."""
    repository, path = _marked(rest) or _by_length(rest, prefix)
    if not repository.strip("/"):
        raise NotRemote("it names no repository")
    normal = posixpath.normpath(path.strip("/") or ".")
    if normal == ".." or normal.startswith("../"):
        raise NotRemote("its path leads out of the repository")
    return repository, "" if normal == "." else normal


def _marked(rest: str) -> tuple[str, str] | None:
    index = rest.find("_git/")
    if index >= 0:
        name, _, path = rest[index + len("_git/") :].partition("/")
        return (rest[: index + len("_git/")] + name, path) if name else ("", "")
    index = rest.find("//")
    if index >= 0:
        return rest[:index], rest[index + 2 :]
    index = rest.find(".git")
    if index >= 0:
        return rest[: index + len(".git")], rest[index + len(".git") :]
    return None


def _by_length(rest: str, prefix: str) -> tuple[str, str]:
    if prefix == FILE_HOST:
        return rest, ""
    segments = rest.split("/")
    if len(segments) < _SEGMENTS:
        raise NotRemote(f"its path has fewer than {_SEGMENTS} parts, and no .git or // says where the repository ends")
    return "/".join(segments[:_SEGMENTS]), "/".join(segments[_SEGMENTS:])


def _host(url: str) -> tuple[str, str]:
    """Return the name that an allow-list has to give for a repository, and its place as people are told of it."""
    if url.startswith(FILE_HOST):
        return FILE_HOST, url.removesuffix("/").removesuffix(".git")
    scheme, by_scheme, rest = url.rpartition("://")
    if by_scheme:
        authority, _, path = rest.partition("/")
    else:
        scheme, (authority, colon, path) = "ssh", rest.partition(":")
        if not colon:
            raise NotRemote("it has neither a scheme nor a colon after the host, so git would take it for a path")
    user, _, name = authority.rpartition("@")
    if ":" in user:
        raise NotRemote("it holds a password, which others can see: let git's credential helper know it")
    if user and not _NAME.fullmatch(user):
        raise NotRemote("what stands before its @ is no name of a user")
    name, port = _port(name.lower(), scheme)
    place = f"{scheme}://{name}{port}/{path.strip('/').removesuffix('.git')}"
    return name + port, place


def _port(name: str, scheme: str) -> tuple[str, str]:
    """Return a host's name and `:port`, which is "" for the scheme's own."""
    head, colon, digits = name.rpartition(":")
    if not colon or name.endswith("]"):
        head, digits = name, ""
    if (digits and not (digits.isascii() and digits.isdigit())) or not _HOST.fullmatch(head):
        raise NotRemote(f"{name!r} is no name of a host")
    return head, f":{int(digits)}" if digits and int(digits) != _PORTS[scheme] else ""


def _query(query: str) -> tuple[str, float | None, bool]:
    if _PERCENT.search(query) or ";" in query:
        raise NotRemote(f"its query {query!r} cannot be read")
    values: dict[str, str] = {}
    for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        values.setdefault(key, value)
    ref = values.get("ref") or values.get("version") or DEFAULT_REF
    if _NO_REF.search(ref):
        raise NotRemote(f"{ref!r} is no name of a branch, tag or commit")
    submodules = _BOOLEANS.get(values.get("submodules", ""), True)
    return ref, _seconds(values.get("timeout", "")), submodules


def _seconds(text: str) -> float | None:
    """Return a number of seconds or a Go duration; None where it is neither, or zero."""
    if text.isascii() and text.isdigit():
        return float(text) or None
    if not _DURATION.fullmatch(text):
        return None
    parts = re.findall(r"([0-9.]+)([a-zµ]+)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or None
