"""How a program is run as helm: found, checked, alone, bounded, remembered. Small scripts stand in for helm."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import ChartError
from reconciler.helm import Helm, program, run
from reconciler.helm.run import Limits
from reconciler.model.charts import Pin, Template

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = Template(
    files=(("Chart.yaml", b"name: web\n"), ("templates/a.yaml", b"a: 1\n")), values=(b"a: 1\n", b"b: 2\n")
)
VERSION = 'if [ "$1" = version ]; then echo "v4.3.1 abc go1.26"; exit; fi\n'


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory that temporary files of the test are in."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def script(tmp_path: Path, text: str, version: str = VERSION) -> str:
    path = tmp_path / "helm"
    path.write_text(f"#!/bin/sh\n{version}{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_program_sees_its_input_and_nothing_of_ours(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBECONFIG", "HELM_NAMESPACE", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "ours")
    text = 'env; echo "$@"; for file in $(find . -type f | sort); do echo "$file:"; cat $file; done; touch $HOME/left\n'
    printed = Helm(tmp_path / "cache", command=script(tmp_path, text)).template(REQUEST)
    assert "ours" not in printed
    assert "./chart/templates/a.yaml:\na: 1\n" in printed
    assert "./values-1.yaml:\nb: 2\n" in printed
    assert f"HOME={scratch}/reconciler-helm-" in printed
    assert "template release-name " in printed
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_the_program_has_no_network(tmp_path: Path, scratch: Path) -> None:
    if not run._isolated():
        pytest.skip("the kernel refuses network namespaces")
    printed = Helm(tmp_path / "cache", command=script(tmp_path, "cat /proc/net/dev\n")).template(REQUEST)
    assert [line.split(":")[0].strip() for line in printed.splitlines()[2:]] == ["lo"]


def test_a_program_that_does_not_end_is_ended(tmp_path: Path, scratch: Path) -> None:
    """With all that it has started, and nothing stays."""
    mark = f"{os.getpid()}{id(scratch)}"
    helm = Helm(
        tmp_path / "cache", command=script(tmp_path, f"sleep 3600.{mark} & sleep 3600.{mark}\n"), limits=Limits(0.5)
    )
    with pytest.raises(ChartError, match=r"helm did not end within 0\.5 s: it was ended"):
        helm.template(REQUEST)
    assert list(scratch.iterdir()) == []
    running = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True).stdout
    assert mark not in running


def test_output_and_memory_are_bounded(tmp_path: Path, scratch: Path) -> None:
    small = Limits(output=1 << 20)
    with pytest.raises(ChartError, match="renders to more than 1 MiB"):
        Helm(tmp_path / "cache", command=script(tmp_path, "yes\n"), limits=small).template(REQUEST)
    limits = Limits(memory=512 << 20)
    printed = Helm(tmp_path / "other", command=script(tmp_path, "sleep 0.2; ulimit -v\n"), limits=limits).template(
        REQUEST
    )
    assert printed == f"{512 << 10}\n"


def test_what_it_says_is_the_error(tmp_path: Path, scratch: Path) -> None:
    helm = Helm(tmp_path / "cache", command=script(tmp_path, "echo 'Error: it broke' >&2; exit 1\n"))
    with pytest.raises(ChartError, match="Error: it broke"):
        helm.template(REQUEST)
    helm = Helm(tmp_path / "cache", command=script(tmp_path, "exit 3\n"))
    with pytest.raises(ChartError, match="helm ends with 3, and says nothing"):
        helm.template(REQUEST)


def test_the_same_is_rendered_once(tmp_path: Path, scratch: Path) -> None:
    """A second process finds it, too; another value, flag or version is something else."""
    text = f"echo run >> {tmp_path}/runs; echo output\n"
    command = script(tmp_path, text)
    for request in (
        REQUEST,
        REQUEST,
        Template(REQUEST.files, (b"a: 2\n",)),
        Template(REQUEST.files, (), include_crds=True),
    ):
        assert Helm(tmp_path / "cache", command=command).template(request) == "output\n"
    assert (tmp_path / "runs").read_text() == "run\n" * 3
    script(tmp_path, text, VERSION.replace("4.3.1", "4.4.0"))
    Helm(tmp_path / "cache", command=command).template(REQUEST)
    assert (tmp_path / "runs").read_text() == "run\n" * 4


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("echo v3.13.2; exit\n", r"is v3\.13, at least v3\.14 and below v5\.0 is needed: install Helm 4"),
        ("echo v5.0.0; exit\n", r"is v5\.0, at least v3\.14"),
        ("echo hello; exit\n", "says of its version 'hello'"),
        ("echo no >&2; exit 1\n", "cannot tell its version: no"),
    ],
)
def test_another_helm_is_refused(version: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ChartError, match=told):
        program.find(script(tmp_path, "", version))


def test_a_helm_of_the_last_major_version_will_do(tmp_path: Path) -> None:
    assert program.find(script(tmp_path, "", "echo v3.14.0; exit\n")).version == "v3.14.0"


def test_no_helm_is_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(program.VARIABLE, raising=False)
    with pytest.raises(
        ChartError, match="there is no program helm: install Helm 4, or name the program by RECONCILER_HELM"
    ):
        Helm(tmp_path).template(REQUEST)
    monkeypatch.setenv(program.VARIABLE, "/nowhere/helm")
    with pytest.raises(ChartError, match="there is no program /nowhere/helm"):
        Helm(tmp_path).template(REQUEST)


def test_an_archive_is_never_fetched_offline(tmp_path: Path) -> None:
    pin = Pin("https://charts.example", "web", "1.0.0", f"sha256:{'0' * 64}")
    with pytest.raises(ChartError, match="it is not in the cache, and nothing is fetched here"):
        Helm(tmp_path).archive(pin)
    pin.archive(tmp_path).parent.mkdir()
    pin.archive(tmp_path).write_bytes(b"damaged")
    with pytest.raises(ChartError, match="it is not in the cache"):
        Helm(tmp_path).archive(pin)
