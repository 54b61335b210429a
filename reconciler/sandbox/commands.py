"""The command lines of a sandbox's programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STAGES: Final = Path(__file__).parent / "stages"
SERVICE_NETWORK: Final = "10.96.0.0/16"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command lines share: the sandbox's folder and its ports."""

    directory: Path
    etcd_port: int
    etcd_peer_port: int
    server_port: int
    controllers_port: int
    scheduler_port: int

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.server_port}"

    @property
    def service_address(self) -> str:
        """The address of the `kubernetes` Service."""
        return "10.96.0.1"

    @property
    def kubeconfig(self) -> str:
        """The administrator's kubeconfig."""
        return str(self.directory / "kubeconfig")


def etcd(program: str, settings: Settings) -> list[str]:
    """Return etcd's command line; its data does not have to survive the machine."""
    client, peer = (f"http://127.0.0.1:{port}" for port in (settings.etcd_port, settings.etcd_peer_port))
    return [
        program,
        f"--data-dir={settings.directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
        "--quota-backend-bytes=4294967296",
    ]


def apiserver(program: str, settings: Settings) -> list[str]:
    """Return the API server's command line: TLS, client certificates, RBAC, an audit log."""
    folder = settings.directory
    return [
        program,
        f"--etcd-servers=http://127.0.0.1:{settings.etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--secure-port={settings.server_port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--service-account-key-file={folder / 'tokens.pub'}",
        f"--service-account-signing-key-file={folder / 'tokens.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
    ]


def controllers(program: str, settings: Settings) -> list[str]:
    """Return the controller manager's command line; with its own rate limits a hundred Deployments would take minutes."""
    folder = settings.directory
    return [
        program,
        f"--kubeconfig={settings.kubeconfig}",
        f"--service-account-private-key-file={folder / 'tokens.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.controllers_port}",
        f"--cert-dir={folder / 'certificates'}",
        "--kube-api-qps=2000",
        "--kube-api-burst=4000",
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-statefulset-syncs=20",
        "--concurrent-namespace-syncs=20",
        "--concurrent-gc-syncs=20",
    ]


def scheduler(program: str, settings: Settings) -> list[str]:
    """Return the scheduler's command line."""
    return [
        program,
        f"--kubeconfig={settings.kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.scheduler_port}",
        f"--cert-dir={settings.directory / 'certificates'}",
        "--kube-api-qps=2000",
        "--kube-api-burst=4000",
    ]


def kwok(program: str, settings: Settings) -> list[str]:
    """Return KWOK's command line: it plays every node with our stages."""
    stages = [f"--config={path}" for path in sorted(STAGES.glob("*.yaml"))]
    return [
        program,
        f"--kubeconfig={settings.kubeconfig}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        "--server-address=",
        *stages,
    ]


COMMANDS: Final[Mapping[str, Callable[[str, Settings], list[str]]]] = {
    "etcd": etcd,
    "kube-apiserver": apiserver,
    "kube-controller-manager": controllers,
    "kube-scheduler": scheduler,
    "kwok": kwok,
}
"""By program, in the order of their start; they stop in reverse order (an API server without its etcd hangs)."""
