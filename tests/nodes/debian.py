"""Files of Debian's packages, for images and for tests: of one suite, whatever the machine itself runs, and nothing of its state.

The suite is read from the mirror that the machine's apt is set up with, into lists of its own in the cache.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import locks
from reconciler.store import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUITE: Final = "trixie"
KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
LEFT_OUT: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/doc-base")


def tree(packages: Iterable[str]) -> Path:
    """Return a folder with the files of packages, unpacked at the first call and kept in the cache."""
    wanted = sorted(packages)
    home = cache_dir() / f"debian-{SUITE}" / "trees" / hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:10]
    if not home.is_dir():
        with locks.held(home.parent / ".lock"):
            if not home.is_dir():
                with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
                    part = Path(scratch) / home.name
                    part.mkdir()
                    unpack(wanted, part)
                    part.replace(home)
    return home


def command(root: Path, program: str) -> tuple[str, ...]:
    """Return what runs a program of such a folder with the libraries beside it, whatever the machine itself has."""
    libraries = next((root / "usr/lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*.so.*"))
    return (str(loader), "--library-path", str(libraries), str(root / program))


def unpack(packages: Iterable[str], root: Path) -> tuple[str, ...]:
    """Lay the files of packages, without documentation, under a folder; return `name=version` of each."""
    wanted = tuple(packages)
    if not wanted:
        return ()
    archives = _fetched(wanted)
    for archive in archives:
        _run(("dpkg-deb", "--extract", str(archive), str(root)))
    for left_out in LEFT_OUT:
        shutil.rmtree(root / left_out, ignore_errors=True)
    shown = (_run(("dpkg-deb", "--show", "--showformat", "${Package}=${Version}", str(path))) for path in archives)
    return tuple(sorted(shown))


def _fetched(packages: Sequence[str]) -> list[Path]:
    """Return the archives of packages; what is in the cache is not fetched again."""
    home = cache_dir() / f"debian-{SUITE}"
    archives = home / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    options = _options(home)
    try:
        return _download(packages, archives, options)
    except SandboxError:  # no lists yet, or older than the mirror
        _run(("apt-get", *options, "--quiet", "update"))
        return _download(packages, archives, options)


def _download(packages: Sequence[str], archives: Path, options: Sequence[str]) -> list[Path]:
    """Return the archives, fetching what is not there; asked where they are not, apt-get names all of them."""
    asked = ("apt-get", *options, "--quiet", "--print-uris", "download", *packages)
    lines = [line for line in _run(asked, archives.parent).splitlines() if line.startswith("'")]
    _run(("apt-get", *options, "--quiet", "download", *packages), archives)
    found = [archives / shlex.split(line)[1] for line in lines]
    if len(found) != len(packages) or not all(path.is_file() for path in found):
        names = ", ".join(path.name for path in found) or "nothing"
        raise SandboxError(f"apt-get download gave {names}, expected an archive of each of {', '.join(packages)}")
    return found


def _options(home: Path) -> tuple[str, ...]:
    """Return what makes apt-get read the suite, from lists of its own; they need no root."""
    (home / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (home / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    sources = home / "suite.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": home / "lists",
        "Dir::Cache": home / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return tuple(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))


def _mirror() -> str:
    """Return the address of Debian's archive as this machine's apt knows it."""
    command = ("apt-get", "indextargets", "--no-release-info", "--format", "$(SITE)", "Created-By: Packages")
    sites = _run(command).split()
    found = next((site for site in sites if site.rstrip("/").endswith("/debian")), None)
    if found is None:
        raise SandboxError("apt knows no Debian archive, expected one that ends in /debian in /etc/apt/sources.list*")
    return found


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError as error:
        raise SandboxError(f"{command[0]} is needed for files of Debian's packages") from error
    if done.returncode:
        raise SandboxError(f"{shlex.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout
