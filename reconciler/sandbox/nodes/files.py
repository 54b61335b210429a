"""The folder of a real node: what it sees as /etc, /opt, /var/lib and /var/log, with its certificates and configurations."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.sandbox.files import kubeconfig, write_file
from reconciler.sandbox.nodes import configuration, host

if TYPE_CHECKING:
    from reconciler.sandbox.certificates import Pair
    from reconciler.sandbox.nodes.layout import Layout, Machine

RESOLVERS: Final = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


def write(layout: Layout, folder: Path, server: str, ca: Pair) -> None:
    """Write the folders of all nodes below the sandbox's."""
    plugins = host.plugins()
    for machine in layout.machines:
        _write(machine, machine.folder(folder), server, ca, with_network=layout.with_pod_network)
        shutil.copytree(plugins, machine.folder(folder) / "opt" / "cni" / "bin")


def mounts(folder: Path) -> tuple[tuple[str, ...], ...]:
    """Return the commands that make a node's folder its own file system, to be run in its namespaces."""
    etc = folder / "etc"
    return (
        (
            "mount",
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir=/etc,upperdir={etc / 'upper'},workdir={etc / 'work'}",
            "/etc",
        ),
        ("mount", "--bind", str(folder / "opt"), "/opt"),
        ("mount", "--bind", str(folder / "var" / "lib"), "/var/lib"),
        ("mount", "--bind", str(folder / "var" / "log"), "/var/log"),
        ("mount", "-t", "tmpfs", "tmpfs", "/run"),
        ("mount", "--make-rshared", "/"),  # mounts of Pods reach each other, and never this machine
    )


def _write(machine: Machine, folder: Path, server: str, ca: Pair, *, with_network: bool) -> None:
    from reconciler.sandbox import certificates

    etc = folder / "etc" / "upper"
    for place in (folder / "etc" / "work", folder / "var" / "log", folder / "opt" / "cni"):
        place.mkdir(parents=True)
    identity = certificates.client(ca, f"system:node:{machine.name}", ("system:nodes",))
    serving = certificates.server(ca, machine.name, (str(machine.address),), (machine.name,))
    proxy = certificates.client(ca, "system:kube-proxy", ())
    secret: dict[str, Any] = {
        configuration.KUBELET_CREDENTIALS: yaml.dump(kubeconfig(server, machine.name, ca, identity)).encode(),
        configuration.PROXY_CREDENTIALS: yaml.dump(kubeconfig(server, machine.name, ca, proxy)).encode(),
        f"{configuration.PKI}/kubelet.key": serving.key_pem,
    }
    public = {
        f"{configuration.PKI}/kubelet.crt": serving.certificate_pem,
        f"{configuration.PKI}/ca.crt": ca.certificate_pem,
        configuration.PROXY_CONFIGURATION: configuration.proxy(machine).encode(),
        configuration.CONTAINERD_CONFIGURATION: configuration.CONTAINERD.encode(),
        configuration.RESOLVER: configuration.resolver(_resolver_lines()).encode(),
    }
    if with_network:
        public["/etc/cni/net.d/10-sandbox.conflist"] = configuration.bridge(machine).encode()
    for name, content in (*secret.items(), *public.items()):
        write_file(etc / name.removeprefix("/etc/"), content, secret=name in secret)
    write_file(folder / configuration.KUBELET_CONFIGURATION.strip("/"), configuration.kubelet(machine).encode())


def _resolver_lines() -> list[str]:
    found = next((path for path in RESOLVERS if path.is_file()), None)
    return found.read_text().splitlines() if found else []
