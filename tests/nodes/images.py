"""The images of the platform's programs, by the names that the platform's definitions use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.sandbox.nodes.archive import Settings
from tests.nodes import sources
from tests.nodes.image import Image, Program
from tests.programs import REGISTRY as REGISTRY_PROGRAM

if TYPE_CHECKING:
    from tests.programs import Source

SHELL: Final = ("busybox-static",)
APPLETS: Final = tuple(
    (f"/usr/bin/{name}", "busybox")
    for name in (
        "awk", "cat", "chmod", "chown", "cp", "cut", "date", "df", "dirname", "echo", "env", "expr", "false", "find",
        "grep", "head", "hostname", "id", "ls", "mkdir", "mktemp", "mv", "nc", "nslookup", "ping", "printf", "ps",
        "pwd", "rm", "sed", "seq", "sh", "sleep", "sort", "stat", "tail", "tar", "tee", "test", "touch", "tr", "true",
        "uname", "vi", "wc", "wget", "xargs",
    )
)  # fmt: skip
NETFILTER: Final = (
    "iptables", "libbsd0", "libc6", "libedit2", "libgmp10", "libip4tc2", "libip6tc2", "libjansson4", "libmd0", "libmnl0",
    "libnetfilter-conntrack3", "libnfnetlink0", "libnftables1", "libnftnl11", "libtinfo6", "libxtables12", "nftables",
)  # fmt: skip
NETFILTER_LINKS: Final = tuple(
    (f"/usr/sbin/{name}", "xtables-nft-multi")
    for name in ("iptables", "iptables-restore", "iptables-save", "ip6tables", "ip6tables-restore", "ip6tables-save")
)

BUSYBOX: Final = Image(
    "docker.io/library/busybox:1.37.0",
    packages=SHELL,
    links=APPLETS,
    settings=Settings(command=("sh",)),
    note="Debian's build of it, with the common applets as links; the others by `busybox NAME`",
)


def _registry(source: Source) -> Image:
    return Image(
        f"docker.io/library/registry:{source.version.removeprefix('v')}",
        (Program(source, "registry", "/bin/registry"),),
        settings=Settings(("registry",), ("serve", "/etc/distribution/config.yml"), env=("OTEL_TRACES_EXPORTER=none",)),
        note="no certificates of public authorities, no shell, no configuration file of its own",
    )


REGISTRY: Final = _registry(REGISTRY_PROGRAM)
REGISTRY_NEXT: Final = _registry(sources.REGISTRY_NEXT)
COREDNS: Final = Image(
    "registry.k8s.io/coredns/coredns:v1.14.6",
    (Program(sources.COREDNS, "coredns", "/coredns"),),
    settings=Settings(("/coredns",), user="65532:65532"),
    note="the version of Kubernetes 1.37; without the plugins azure, clouddns, nomad and route53, and without a file"
    " capability: a runtime that keeps ports below 1024 to root has to be given NET_BIND_SERVICE as root",
)
FLANNEL: Final = Image(
    "ghcr.io/flannel-io/flannel:v0.28.9",
    (Program(sources.FLANNEL, "flannel", "/opt/bin/flanneld"),),
    packages=(*SHELL, *NETFILTER),
    links=(*APPLETS, *NETFILTER_LINKS),
    settings=Settings(("/opt/bin/flanneld",)),
    note="without the backend tencent-vpc, whose SDK cannot be had; iptables and nft are Debian's, no WireGuard or IPsec",
)
FLANNEL_CNI_PLUGIN: Final = Image(
    "ghcr.io/flannel-io/flannel-cni-plugin:v0.9.1",
    (Program(sources.FLANNEL_CNI_PLUGIN, "flannel", "/flannel"),),
    packages=SHELL,
    links=APPLETS,
    note="the platform names v1.9.1-flannel3: flannel-io's module cannot be had. This is the same plugin from where it was"
    " before, containernetworking/plugins v0.9.1, on the CNI library v1.3.1, so that it speaks CNI 1.0",
)
NETWORK_POLICIES: Final = Image(
    "registry.k8s.io/networking/kube-network-policies:v1.1.1",
    (Program(sources.NETWORK_POLICIES, "standard", "/bin/netpol"),),
    settings=Settings(command=("/bin/netpol",)),
    note="packets are queued by the xtables target NFQUEUE (nft_compat), not by the queue statement of nftables, which"
    " not every kernel has; the rules are otherwise its own",
)
LOCAL_PATH: Final = Image(
    "docker.io/rancher/local-path-provisioner:v0.0.30",
    (Program(sources.LOCAL_PATH, "local-path-provisioner", "/usr/bin/local-path-provisioner"),),
    packages=SHELL,
    links=APPLETS,
    settings=Settings(command=("local-path-provisioner",)),
    note="the platform names v0.0.32, whose module cannot be had",
)

IMAGES: Final = (
    BUSYBOX,
    REGISTRY,
    REGISTRY_NEXT,
    COREDNS,
    FLANNEL,
    FLANNEL_CNI_PLUGIN,
    NETWORK_POLICIES,
    LOCAL_PATH,
)
