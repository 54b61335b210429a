"""Programs that tests need, built from pinned Go modules and kept in the cache.

Two ways to pin them. `Module`: a go.mod and go.sum of ours, beside the tests (`tests/*/gomod`). `Source`: the module of
the program itself by the hash of its contents, and with it the dependencies that its authors pinned; it can be changed
before it is built, by edits that say what they expect to find.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import SandboxError
from reconciler.sandbox import gobuild, locks
from reconciler.store import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: Final = Path(__file__).parent
SHOWN_LINES: Final = 15
SETTINGS: Final = {**gobuild.SETTINGS, "GOFLAGS": "-buildvcs=false -mod=readonly"}


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module that pins programs: its folder beside this file, their packages, and what the linker writes into them."""

    name: str
    version: str
    packages: tuple[str, ...]
    flags: str = ""
    gomod: str = ""

    @property
    def folder(self) -> Path:
        """Where its go.mod and go.sum are."""
        return HERE / (self.gomod or f"{self.name}/gomod")

    @property
    def key(self) -> str:
        """What its folder in the cache is called."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file of a module: a text that is there so many times becomes another one."""

    file: str
    old: str
    new: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A Go module that is built as its authors build it; `digest` is the `h1:` of its contents, as in a go.sum.

    `added` are files that it lacks: what its authors generate and do not keep beside the sources.
    """

    name: str
    module: str
    version: str
    digest: str
    packages: tuple[str, ...]
    flags: str = ""
    tags: str = ""
    cgo: bool = False
    edits: tuple[Edit, ...] = ()
    added: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What its folder in the cache is called: another one for every change of what is declared here."""
        return f"{self.name}-{self.version}-{hashlib.sha256(repr(self).encode()).hexdigest()[:10]}"


@dataclass(frozen=True, slots=True)
class Crate:
    """A library in Rust that a Go module carries in one of its folders, beside a Cargo.lock that pins what it needs."""

    name: str
    module: str
    version: str
    digest: str
    folder: str

    @property
    def key(self) -> str:
        """What its folder in the cache is called."""
        return f"lib{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class Linked(Source):
    """A Source that links such libraries; pkg-config tells it where they are."""

    libraries: tuple[Crate, ...] = ()


HELM: Final = Module(
    "helm", "4.3.1", ("helm.sh/helm/v4/cmd/helm",), "-X helm.sh/helm/v4/internal/version.version=v4.3.1"
)
PROMETHEUS: Final = Source(
    "prometheus",
    "github.com/prometheus/prometheus",
    "v0.314.0",
    "h1:YjsimqsIi6/mOtzZcrPEYUALO6zpfaht9O5sXqDz2vg=",
    ("./cmd/prometheus", "./cmd/promtool"),
    "-X github.com/prometheus/common/version.Version=3.14.0",
    tags="remove_all_sd,enable_kubernetes_sd,enable_dns_sd",
)
ALERTMANAGER: Final = Source(
    "alertmanager",
    "github.com/prometheus/alertmanager",
    "v0.33.1",
    "h1:PJHGvTdb8Q0ZEpJnWff120WxB2kxIScLa707AaIudTo=",
    ("./cmd/alertmanager", "./cmd/amtool"),
    "-X github.com/prometheus/common/version.Version=0.33.1",
    added=(("ui/app/dist/index.html", "Built without its page; alerts are at /api/v2/alerts.\n"),),
)
REGISTRY: Final = Source(
    "registry",
    "github.com/distribution/distribution/v3",
    "v3.1.1",
    "h1:KUbk7C8CfaLXy8kbf/hGq9cad/wCoLB6dbWH6DMbmX0=",
    ("./cmd/registry",),
    "-X github.com/distribution/distribution/v3/version.version=v3.1.1",
)
SOPS: Final = Module("sops", "3.13.3", ("github.com/getsops/sops/v3/cmd/sops", "filippo.io/age/cmd/age-keygen"))


def built(program: Module | Source | Crate, tell: Callable[[str], None]) -> Path:
    """Return the folder with what a module builds, built at the first call; raises SandboxError where it cannot be."""
    home = cache_dir() / "programs" / program.key
    if not home.is_dir():
        with locks.held(home.parent / ".lock", lambda: tell(f"waiting for another process: {program.name}")):
            if not home.is_dir():
                _build(program, home, tell)
    return home


def _build(program: Module | Source | Crate, home: Path, tell: Callable[[str], None]) -> None:
    """Build into a folder of another name, which then gets its own: what is there is whole."""
    go = gobuild.toolchain(home.parent, tell=tell)
    libraries = program.libraries if isinstance(program, Linked) else ()
    for library in libraries:
        if not (home.parent / library.key).is_dir():
            _build(library, home.parent / library.key, tell)
    tell(f"building {program.name} {program.version} from its Go module (minutes, once)")
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}.") as scratch:
        part = Path(scratch) / home.name
        part.mkdir()
        if isinstance(program, Crate):
            _compile_crate(go, program, Path(scratch), home)
        else:
            settings = {"PKG_CONFIG_PATH": ":".join(str(home.parent / library.key) for library in libraries)}
            _compile(go, program, Path(scratch), part, settings)
        part.replace(home)


def _compile(go: str, program: Module | Source, scratch: Path, part: Path, settings: dict[str, str]) -> None:
    options: tuple[str, ...] = ("-trimpath", "-ldflags", f"-s -w {program.flags}", "-o", f"{part}/")
    if isinstance(program, Module):
        folder, cgo = program.folder, False
    else:
        folder, cgo = _sources(go, program, scratch), program.cgo
        options = ("-tags", program.tags, *options)
    settings = {**SETTINGS, **settings, "CGO_ENABLED": "1" if cgo else "0"}
    _run((go, "build", *options, *program.packages), folder, settings, program.name)


def _compile_crate(go: str, crate: Crate, scratch: Path, home: Path) -> None:
    """Build a library, and write the file by which pkg-config knows it at its place in the cache."""
    folder = scratch / "source"
    copy_files(_downloaded(go, crate, scratch), folder)
    (folder / "rust-toolchain.toml").unlink(missing_ok=True)  # a newer one does as well, and cannot always be fetched
    command = ("cargo", "rustc", "--locked", "--release", "--package", crate.name, "--lib", "--crate-type", "staticlib")
    settings = {
        "CARGO_TARGET_DIR": str(scratch / "target"),
        "CARGO_PROFILE_RELEASE_LTO": "off",  # minutes, for what a test does not need
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    }
    _run(command, folder / crate.folder, settings, crate.name)
    part = scratch / home.name
    shutil.copyfile(scratch / f"target/release/lib{crate.name}.a", part / f"lib{crate.name}.a")
    copy_files(folder / crate.folder / "include", part / "include")
    (part / f"{crate.name}.pc").write_text(
        f"Name: {crate.name}\nDescription: {crate.module}\nVersion: {crate.version.removeprefix('v')}\n"
        f"Libs: -L{home} -l{crate.name} -ldl -lpthread -lm\nCflags: -I{home}/include\n"
    )


def _sources(go: str, source: Source, scratch: Path) -> Path:
    """Return the folder of a module: in Go's own cache as it is, or a changed copy."""
    folder = _downloaded(go, source, scratch)
    if source.edits or source.added:
        copy_files(folder, scratch / "source")
        folder = scratch / "source"
        for edit in source.edits:
            change(folder, edit)
        for name, text in source.added:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    return folder


def _downloaded(go: str, source: Source | Crate, scratch: Path) -> Path:
    """Return a module's folder in Go's own cache; raises SandboxError where its contents are not those that are pinned."""
    command = (go, "mod", "download", "-json", f"{source.module}@{source.version}")
    told = json.loads(_run(command, scratch, SETTINGS, source.name))
    if told["Sum"] != source.digest:
        raise SandboxError(f"{source.module} {source.version} is {told['Sum']}, expected {source.digest}")
    return Path(told["Dir"])


def change(folder: Path, edit: Edit) -> None:
    """Make one change in a copy of a module; raises SandboxError where the module is not as the change expects it."""
    path = folder / edit.file
    text = path.read_text()
    if (found := text.count(edit.old)) != edit.times:
        raise SandboxError(f"{edit.file}: found {found} times, expected {edit.times}: {edit.old.strip()!r}")
    path.write_text(text.replace(edit.old, edit.new))


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of a tree; a module's folders are read-only, and a cache has to be easy to delete."""
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _run(command: tuple[str, ...], folder: Path, settings: dict[str, str], name: str) -> str:
    program = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **settings},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError as error:
        raise SandboxError(f"{name} is built with {program}, which is not there") from error
    if done.returncode:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-SHOWN_LINES:])
        raise SandboxError(f"{program} {command[1]} of {name} failed:\n{words}")
    return done.stdout
