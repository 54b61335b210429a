"""Real nodes on paper: addresses, configurations, control groups; they run in tests/nodes."""

from __future__ import annotations

import itertools
import json
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reconciler.errors import SandboxError, UsageError
from reconciler.sandbox import control, places
from reconciler.sandbox.nodes import configuration, fleet, groups, host, layout

if TYPE_CHECKING:
    from pathlib import Path

NO_ROUTES: tuple[IPv4Network, ...] = ()


def networks(*texts: str) -> tuple[IPv4Network, ...]:
    """Return networks."""
    return tuple(map(IPv4Network, texts))


def test_nodes_have_addresses_links_and_pods_of_their_own() -> None:
    """Nothing of one node overlaps with anything of another, and links fit into the kernel's fifteen letters."""
    found = layout.choose("a-rather-long-name-of-a-sandbox", 20, NO_ROUTES, with_pod_network=True)
    machines = found.machines
    assert len({machine.address for machine in machines}) == len({machine.link for machine in machines}) == 20
    assert all(machine.address in found.network and machine.address != found.gateway for machine in machines)
    assert all(len(machine.link) <= 15 for machine in machines)
    assert all(machine.pods.subnet_of(layout.PODS) for machine in machines)
    assert not any(one.pods.overlaps(other.pods) for one, other in itertools.combinations(machines, 2))


def test_a_network_that_the_machine_has_is_left_alone() -> None:
    taken = networks("10.201.0.0/24", "10.201.1.128/25", "192.168.0.0/16")
    assert layout.choose("one", 2, taken, with_pod_network=True).network == IPv4Network("10.201.2.0/24")


@pytest.mark.parametrize(
    ("nodes", "taken", "says"),
    [
        (21, (), "20 at most"),
        (2, ("10.244.1.0/24",), r"has a route to 10\.244\.1\.0/24 already"),
        (2, ("10.201.0.0/16",), r"every network in 10\.201\.0\.0/16 is in use"),
    ],
)
def test_what_does_not_fit_the_machine_is_refused(nodes: int, taken: tuple[str, ...], says: str) -> None:
    with pytest.raises(SandboxError, match=says):
        layout.choose("one", nodes, networks(*taken), with_pod_network=False)


def test_a_layout_is_read_as_it_was_kept(tmp_path: Path) -> None:
    """A folder without a record has played nodes, one with a damaged record says so."""
    kept = layout.choose("one", 3, networks("10.201.0.0/24"), with_pod_network=False)
    assert fleet.read(tmp_path) is None
    (tmp_path / fleet.RECORD).write_text(json.dumps(kept.document()))
    assert fleet.read(tmp_path) == kept
    (tmp_path / fleet.RECORD).write_text("{}")
    with pytest.raises(SandboxError, match=r"nodes\.json is damaged"):
        fleet.read(tmp_path)


def test_a_kubelet_answers_nobody_but_its_api_server() -> None:
    machine = layout.choose("one", 1, NO_ROUTES, with_pod_network=True).machine(1)
    kubelet: dict[str, Any] = yaml.safe_load(configuration.kubelet(machine))
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}
    assert kubelet["cgroupRoot"] == "/reconciler-one-1"
    assert json.loads(configuration.bridge(machine))["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert yaml.safe_load(configuration.proxy(machine))["hostnameOverride"] == "node-1"


def test_pods_do_not_ask_name_servers_of_the_machine_itself() -> None:
    lines = ["nameserver 127.0.0.53", "search example.com", "nameserver 192.0.2.1", "nameserver ::1"]
    assert configuration.resolver(lines) == "search example.com\nnameserver 192.0.2.1\n"


def test_a_node_has_a_group_in_each_hierarchy_of_version_1(tmp_path: Path) -> None:
    """A new cpuset is empty, and nothing may run in it until it has what its parent has."""
    for name in ("cpu", "cpuset", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    groups.make("node", tmp_path)
    assert sorted(path.parent.name for path in tmp_path.glob("*/node")) == ["cpu", "cpuset", "unified"]
    assert (tmp_path / "cpuset" / "node" / "cpuset.cpus").read_text() == "0-1\n"


def test_a_node_has_one_group_in_version_2_with_all_controllers(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory misc\n")
    groups.make("node", tmp_path)
    assert (tmp_path / "node").is_dir()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_groups_go_with_all_below_them(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "node" / "pods" / "one").mkdir(parents=True)
    groups.remove("node", tmp_path)
    assert not (tmp_path / "node").exists()


def test_a_machine_that_lacks_something_is_told_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "need root" in (host.lacks(tmp_path) or "")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = host.lacks(tmp_path) or ""
    assert "apt-get install" in missing
    assert "runc" in missing


def test_what_needs_real_nodes_says_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path))
    (places.state_dir() / "played").mkdir(parents=True)
    told = {"server": "https://127.0.0.1:20001", "nodes": 3, "programs": {"kubectl": "/bin/kubectl"}}
    (places.state_dir() / "played" / "sandbox.json").write_text(json.dumps(told))
    sandbox = control.read("played")
    assert sandbox is not None
    with pytest.raises(UsageError, match="was started without --real"):
        control.load(sandbox, tmp_path / "image.tar")
    with pytest.raises(UsageError, match="has no real node 'node-1'"):
        control.lose(sandbox, "node-1")
