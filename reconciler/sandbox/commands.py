"""The command lines of a sandbox's programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STAGES: Final = Path(__file__).parent / "stages"
SERVICE_NETWORK: Final = "10.96.0.0/16"
LOOPBACK: Final = "127.0.0.1"
LOST_SECONDS: Final = 20  # after which a silent node is NotReady, and as long again until its Pods are made elsewhere


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command lines share: the sandbox's folder, its ports, and where its API server listens.

    `address` is one that real nodes reach, where the sandbox has any.
    """

    directory: Path
    address: str
    etcd_port: int
    etcd_peer_port: int
    server_port: int
    controllers_port: int
    scheduler_port: int

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{self.address}:{self.server_port}"

    @property
    def real(self) -> bool:
        """Whether kubelets talk to this control plane."""
        return self.address != LOOPBACK

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
        f"--bind-address={settings.address}",
        f"--advertise-address={settings.address}",
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
        *(_to_nodes(settings) if settings.real else ("--endpoint-reconciler-type=none",)),
    ]


def _to_nodes(settings: Settings) -> tuple[str, ...]:
    """Return how the API server reaches kubelets, and Pods that serve a part of its API or are asked before a write."""
    folder = settings.directory
    return (
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={folder / 'kubelet-client.crt'}",
        f"--kubelet-client-key={folder / 'kubelet-client.key'}",
        f"--kubelet-certificate-authority={folder / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={folder / 'front-ca.crt'}",
        f"--proxy-client-cert-file={folder / 'front-client.crt'}",
        f"--proxy-client-key-file={folder / 'front-client.key'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--enable-aggregator-routing=true",  # to Pods: the addresses of Services are known in the nodes only
        f"--default-not-ready-toleration-seconds={LOST_SECONDS}",
        f"--default-unreachable-toleration-seconds={LOST_SECONDS}",
    )


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
        *((f"--node-monitor-grace-period={LOST_SECONDS}s",) if settings.real else ()),
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
