"""What a sandbox is before and after its processes: names, files, ports, nodes, waiting."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import sys
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from cryptography import x509

from reconciler import yaml
from reconciler.cli.main import main
from reconciler.errors import SandboxError, UsageError
from reconciler.model.origin import Source
from reconciler.sandbox import cluster, commands, control, files, places, ready
from reconciler.sandbox.commands import COMMANDS, STAGES, Settings
from reconciler.sandbox.processes import Process
from reconciler.sandbox.versions import KUBERNETES


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep state in a folder of the test; return where sandboxes are."""
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path))
    return places.state_dir()


def remember(state: Path, name: str, text: str | None = None) -> None:
    """Write what `up` leaves in a sandbox's folder."""
    (state / name).mkdir(parents=True)
    told = {"server": "https://127.0.0.1:20001", "nodes": 3, "programs": {"kubectl": "/bin/kubectl"}}
    (state / name / "sandbox.json").write_text(json.dumps(told) if text is None else text)


def run_all(state: Path, name: str) -> None:
    """Make this process stand for each of a sandbox's processes."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    for part in COMMANDS:
        (state / name / f"{part}.pid").write_text(f"{os.getpid()} {started}\n")


@pytest.mark.parametrize("name", ["", "Big", "a/b", "..", "x" * 60, "-a", "a-"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    for use in (control.up, control.down, control.find):
        with pytest.raises(UsageError, match="no name for a sandbox"):
            use(name)


def test_found_only_while_all_of_it_runs(state: Path) -> None:
    """With one process gone it is not running, and `read` still tells what there was."""
    remember(state, "one")
    assert control.find("one") is None
    run_all(state, "one")
    found = control.find("one")
    assert found is not None
    assert (found.kubeconfig, found.nodes) == (state / "one" / "kubeconfig", 3)
    (state / "one" / "kwok.pid").unlink()
    assert control.find("one") is None
    assert control.read("one") == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"server": 1}', "7"])
def test_a_damaged_record_is_no_sandbox(state: Path, text: str) -> None:
    """It can still be taken down."""
    remember(state, "odd", text)
    assert control.find("odd") is None
    assert control.names() == ("odd",)
    assert control.down("odd")
    assert control.names() == ()


def test_down_of_nothing_says_so(state: Path) -> None:
    assert control.down("none") is False
    assert control.names() == ()


def test_other_systems_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "system", lambda: "darwin")
    with pytest.raises(SandboxError, match="on Linux only"):
        control.up("here")


def test_a_state_folder_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECONCILER_STATE_DIR", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match="set RECONCILER_STATE_DIR"):
        control.down("any")


def test_status_tells_what_ended(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 where all runs, else 1 and the names of what does not."""
    remember(state, "one")
    run_all(state, "one")
    assert main(["sandbox", "status", "--name", "one", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["running"] is True
    assert set(told["processes"]) == set(COMMANDS)
    (state / "one" / "etcd.pid").unlink()
    assert main(["sandbox", "status", "--name", "one"]) == 1
    assert capsys.readouterr().out == "sandbox one is not running; ended: etcd\n"
    assert main(["sandbox", "status", "--name", "two", "-o", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"name": "two", "running": False, "ended": []}


def test_run_without_a_command_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "run"]) == 2
    assert "reconciler sandbox run -- CMD" in capsys.readouterr().err


def test_the_files_fit_together(tmp_path: Path) -> None:
    """One CA signed the serving and the client certificate; secrets are for their owner alone."""
    settings = Settings(tmp_path, "127.0.0.1", 1, 2, 20_003, 4, 5)
    files.write(settings, "one")
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    serving = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    config = yaml.parse((tmp_path / "kubeconfig").read_text(), Source("kubeconfig", ""))[0]
    user = config["users"][0]["user"]
    admin = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    for certificate in (serving, admin):
        certificate.verify_directly_issued_by(authority)
        assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc
    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert IPv4Address("127.0.0.1") in names.get_values_for_type(x509.IPAddress)
    assert admin.subject.rfc4514_string() == "CN=admin,O=system:masters"
    assert config["current-context"] == "sandbox-one"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:20003"
    for secret in ("ca.key", "server.key", "tokens.key", "kubeconfig"):
        assert stat.S_IMODE((tmp_path / secret).stat().st_mode) == 0o600, secret


def test_every_program_gets_its_own_port_and_folder(tmp_path: Path) -> None:
    """Two sandboxes share nothing: all paths are in the folder, all ports are those that were found."""
    settings = Settings(tmp_path, "127.0.0.1", 20_001, 20_002, 20_003, 20_004, 20_005)
    lines = {name: " ".join(make(f"/bin/{name}", settings)) for name, make in COMMANDS.items()}
    told = " ".join(lines.values())
    for port in range(20_001, 20_006):
        assert str(port) in told
    assert "--use-service-account-credentials=true" in lines["kube-controller-manager"]
    for client in ("kube-controller-manager", "kube-scheduler"):
        assert "--kube-api-qps=2000" in lines[client]
    assert lines["kwok"].count(str(commands.STAGES)) == len(list(STAGES.glob("*.yaml"))) > 0


def test_ports_are_free_and_out_of_the_way() -> None:
    """A port that somebody has is passed over, whichever comes first."""
    with socket.create_server(("127.0.0.1", ready.free_ports(1)[0])) as taken:
        found = ready.free_ports(200)
        assert taken.getsockname()[1] not in found
    assert len(set(found)) == 200
    assert all(port in ready.PORTS for port in found)


def test_a_thousand_nodes_have_networks_of_their_own() -> None:
    made = cluster.objects(1000, storage_class=False)
    networks = [IPv4Network(node["spec"]["podCIDR"]) for node in made]
    assert len({network.network_address for network in networks}) == 1000
    assert not any(network.overlaps(IPv4Network(commands.SERVICE_NETWORK)) for network in networks)
    assert len({node["metadata"]["name"] for node in made}) == 1000


def test_a_storage_class_unless_left_out() -> None:
    kinds = [[item["kind"] for item in cluster.objects(1, storage_class=wanted)] for wanted in (True, False)]
    assert kinds == [["Node", "StorageClass"], ["Node"]]


def test_the_nodes_tell_the_version_that_runs() -> None:
    assert f"kubeletVersion: v{KUBERNETES}\n" in (STAGES / "node-ready.yaml").read_text()


def test_waiting_ends_with_the_last_words_of_what_ended(tmp_path: Path) -> None:
    """What ends for want of a port is worth another try; anything else is not."""
    for words, kind in (("flag is unknown", SandboxError), ("bind: address already in use", ready.PortTaken)):
        process = Process("etcd", tmp_path)
        process.log.unlink(missing_ok=True)
        process.start([sys.executable, "-S", "-c", f"print({words!r})"])
        with pytest.raises(SandboxError, match=words) as caught:
            ready.wait(lambda: False, (process,))
        assert caught.type is kind


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="not ready after 0 s"):
        ready.wait(lambda: False, (), 0.0)


def test_the_usual_port_is_taken_where_it_is_free() -> None:
    """Network policies name the port of API servers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = int(listener.getsockname()[1])
        assert ready.port_at("127.0.0.1", taken, otherwise=7) == 7
    assert ready.port_at("127.0.0.1", taken, otherwise=7) == taken
