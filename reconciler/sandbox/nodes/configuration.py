"""The files that the programs of a real node read, as text. Pure.

They are what a node of this sandbox needs; a platform's own files may take their place (`sandbox exec`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml
from reconciler.sandbox.nodes.layout import DNS_ADDRESS, PODS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.sandbox.nodes.layout import Machine

SOCKET: Final = "/run/containerd/containerd.sock"
PAUSE: Final = "sandbox.reconciler.dev/pause:1"
PLUGINS: Final = "/opt/cni/bin"
PKI: Final = "/etc/kubernetes/pki"
KUBELET_CREDENTIALS: Final = "/etc/kubernetes/kubelet.conf"
PROXY_CREDENTIALS: Final = "/etc/kubernetes/kube-proxy.conf"
KUBELET_CONFIGURATION: Final = "/var/lib/kubelet/config.yaml"
PROXY_CONFIGURATION: Final = "/etc/kubernetes/kube-proxy.yaml"
CONTAINERD_CONFIGURATION: Final = "/etc/containerd/config.toml"
RESOLVER: Final = "/etc/kubernetes/resolv.conf"

CONTAINERD: Final = f"""\
version = 3
disabled_plugins = ['io.containerd.nri.v1.nri']

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE}'

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '/etc/containerd/certs.d'

[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  # Where root may not lower an oom score, no container could start otherwise.
  restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['{PLUGINS}']
  conf_dir = '/etc/cni/net.d'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
"""


def kubelet(machine: Machine) -> str:
    """Return the kubelet's configuration: its own control group, what this machine can spare, answers to its API server alone."""
    return _yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{PKI}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{PKI}/kubelet.crt",
            "tlsPrivateKeyFile": f"{PKI}/kubelet.key",
            "readOnlyPort": 0,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{machine.group}",
            "failCgroupV1": False,  # older machines have nothing else
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": "cluster.local",
            "resolvConf": RESOLVER,
            "nodeStatusUpdateFrequency": "4s",
            # The disk is shared with all that this machine does otherwise.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        }
    )


def proxy(machine: Machine) -> str:
    """Return kube-proxy's configuration."""
    return _yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": machine.name,
            "clusterCIDR": str(PODS),
            "clientConnection": {"kubeconfig": PROXY_CREDENTIALS},
            "conntrack": {"maxPerCore": 0, "min": 0},  # the limits belong to the whole machine
            "metricsBindAddress": "0.0.0.0:10249",
        }
    )


def bridge(machine: Machine) -> str:
    """Return the CNI configuration of a Pod network without an overlay: a bridge in each node, routes between the nodes."""
    plugins: list[dict[str, Any]] = [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": str(machine.pods)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": "1.0.0", "name": "sandbox", "plugins": plugins}, indent=2) + "\n"


def resolver(lines: Iterable[str]) -> str:
    """Return a resolver's file without name servers that are reached on the machine itself only, as Pods cannot."""
    kept = [line.strip() for line in lines if not line.strip().startswith(("nameserver 127.", "nameserver ::1"))]
    return "".join(f"{line}\n" for line in kept)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document)
