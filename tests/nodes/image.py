"""An image as it is declared, and its archive, made at the first use and kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.sandbox import locks
from reconciler.sandbox.nodes import archive as archives
from reconciler.store import cache_dir
from tests.nodes import debian
from tests.nodes.project import Project, installed
from tests.programs import built

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.programs import Module, Source

MERGED: Final = ("bin", "lib", "lib64", "sbin")  # Debian's packages expect these to be links into /usr
PASSWD: Final = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
GROUP: Final = "root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Program:
    """A program, or a folder, of a build, and where the image has it."""

    of: Module | Source | Project
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Image:
    """What an image is called, what it is made of, how it is started, and where it differs from the published one."""

    reference: str
    programs: tuple[Program, ...] = ()
    packages: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    settings: archives.Settings = archives.DEFAULT
    note: str = ""

    @property
    def file_name(self) -> str:
        """What its archive is called: another one for every change of what is declared here."""
        key = hashlib.sha256(repr((self, PASSWD, GROUP)).encode()).hexdigest()[:10]
        return f"{self.reference.rsplit('/', 1)[1].replace(':', '-')}-{key}.tar"


def archive(image: Image, tell: Callable[[str], None]) -> Path:
    """Return the archive of an image; raises SandboxError where a part of it cannot be had."""
    path = cache_dir() / "images" / image.file_name
    if not path.is_file():
        folders = {program.of: _folder(program.of, tell) for program in image.programs}
        with locks.held(path.parent / ".lock", lambda: tell(f"waiting for another process: {image.reference}")):
            if not path.is_file():
                tell(f"making the image {image.reference}")
                _make(image, folders, path)
    return path


def _folder(build: Module | Source | Project, tell: Callable[[str], None]) -> Path:
    return installed(build, tell) if isinstance(build, Project) else built(build, tell)


def _make(image: Image, folders: dict[Module | Source | Project, Path], path: Path) -> None:
    """Make the archive under another name, which then gets its own: what is there is whole."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as scratch:
        root = Path(scratch) / "root"
        for name in MERGED:
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
        versions = debian.unpack(image.packages, root)
        (root / "tmp").mkdir()
        (root / "tmp").chmod(0o1777)
        for name, text in (("/etc/passwd", PASSWD), ("/etc/group", GROUP), *image.files):
            executable = text.startswith("#!")
            _place(root, name, text.encode(), 0o755 if executable else 0o644)
        for program in image.programs:
            source = folders[program.of] / program.name
            if source.is_dir():
                shutil.copytree(source, root / program.path.lstrip("/"))
            else:
                _place(root, program.path, source.read_bytes(), 0o755)
        for name, target in image.links:
            link = root / name.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        part = Path(scratch) / path.name
        labels = {"note": image.note, "packages": " ".join(versions)}
        archives.write(image.reference, image.settings, root, part, labels)
        part.replace(path)


def _place(root: Path, name: str, content: bytes, mode: int) -> None:
    target = root / name.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(mode)
