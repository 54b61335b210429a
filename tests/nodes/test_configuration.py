"""The runtime's and the kubelet's own programs read the files that the platform renders for nodes."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox import places, programs
from reconciler.sandbox.versions import NODE_PROGRAMS

pytestmark = pytest.mark.nodes

BASE = Path(__file__).parents[2] / "base" / "runtime"
COMPLAINTS = ("Ignoring unknown key", "unknown field", "strict decoding", "deprecated")


@pytest.fixture(scope="module")
def node_programs() -> dict[str, Path]:
    """Return containerd and the kubelet, built at the first use."""
    wanted = [one for one in NODE_PROGRAMS if one.name in ("containerd", "kubelet")]
    return dict(programs.find_all(wanted, places.node_programs_dir(), None, tell=print))


def contained(part: Any, whole: Any) -> bool:
    """Whether everything of one document is in another."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contained(value, whole[key]) for key, value in part.items()
        )
    return bool(part == whole)


def dumped(containerd: Path, text: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Return the configuration as containerd understands it, with all defaults, and what it says beside."""
    file = folder / "config.toml"
    file.write_text(text)
    done = subprocess.run((containerd, "--config", file, "config", "dump"), capture_output=True, text=True, check=True)
    return tomllib.loads(done.stdout), done.stderr


def eks() -> str:
    """Return containerd's part of the configuration of EKS' nodes."""
    document = yaml.safe_load((BASE / "eks" / "nodeconfig.yaml").read_text())
    return str(document["spec"]["containerd"]["config"])


@pytest.mark.parametrize("text", [(BASE / "containerd" / "containerd.toml").read_text(), eks()], ids=["own", "eks"])
def test_containerd_takes_every_setting(text: str, node_programs: dict[str, Path], tmp_path: Path) -> None:
    """Nothing is passed over, and each setting is where its plugin looks for it."""
    understood, said = dumped(node_programs["containerd"], text, tmp_path)
    assert not [one for one in COMPLAINTS if one in said], said
    wanted = tomllib.loads(text)
    assert contained(wanted["plugins"], understood["plugins"])


def test_containerd_says_what_it_does_not_know(node_programs: dict[str, Path], tmp_path: Path) -> None:
    """The test above can fail."""
    text = "version = 3\n[plugins.'io.containerd.cri.v1.images']\nsnapshoter = 'overlayfs'\n"
    assert "Ignoring unknown key" in dumped(node_programs["containerd"], text, tmp_path)[1]


@pytest.mark.parametrize(
    ("old", "new", "understood"),
    [("", "", True), ("readOnlyPort: 0", "readOnlyPrt: 0", False)],
    ids=["as it is", "broken"],
)
@pytest.mark.parametrize("runtime", ["containerd", "cri-dockerd"])
def test_the_kubelet_takes_its_configuration(
    runtime: str, old: str, new: str, understood: bool, node_programs: dict[str, Path], tmp_path: Path
) -> None:
    """It goes as far as the certificates, which a machine that is no node does not have."""
    text = (BASE / runtime / "kubelet.yaml").read_text()
    assert old in text
    file = tmp_path / "kubelet.yaml"
    file.write_text(f"{text.replace(old, new) if old else text}failCgroupV1: false\n")  # this machine may have no other
    command = (
        node_programs["kubelet"],
        f"--config={file}",
        f"--root-dir={tmp_path}/root",
        f"--cert-dir={tmp_path}/pki",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "open /etc/kubernetes/pki/ca.crt: no such file" in done.stderr
    assert any(one in done.stderr for one in COMPLAINTS) is not understood, done.stderr
