"""The images of the platform's programs, by the names that the platform's definitions use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.sandbox.nodes.archive import Settings
from tests import programs
from tests.nodes import project, sources
from tests.nodes.image import PASSWD, Image, Program

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


def _registry(source: Source, note: str = "") -> Image:
    return Image(
        f"docker.io/library/registry:{source.version.removeprefix('v')}",
        (Program(source, "registry", "/bin/registry"),),
        settings=Settings(("registry",), ("serve", "/etc/distribution/config.yml"), env=("OTEL_TRACES_EXPORTER=none",)),
        note=f"no certificates of public authorities, no shell, no configuration file of its own{note}",
    )


REGISTRY: Final = _registry(programs.REGISTRY)
REGISTRY_NEXT: Final = _registry(sources.REGISTRY_NEXT, "; to upgrade to: the platform names 3.1.1")
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
    note="asks less of a kernel: packets are queued by the xtables target NFQUEUE (nft_compat), not by the queue"
    " statement of nftables, and an accepted connection gets its label by a mark and a rule, not with the verdict",
)
LOCAL_PATH: Final = Image(
    "docker.io/rancher/local-path-provisioner:v0.0.30",
    (Program(sources.LOCAL_PATH, "local-path-provisioner", "/usr/bin/local-path-provisioner"),),
    packages=SHELL,
    links=APPLETS,
    settings=Settings(command=("local-path-provisioner",)),
    note="the platform names v0.0.32, whose module cannot be had",
)
PROMETHEUS: Final = Image(
    "quay.io/prometheus/prometheus:v3.14.0",
    (
        Program(programs.PROMETHEUS, "prometheus", "/bin/prometheus"),
        Program(programs.PROMETHEUS, "promtool", "/bin/promtool"),
    ),
    settings=Settings(("/bin/prometheus",), user="nobody"),
    note="without its web page, whose files are no part of the module, and with the discovery of Kubernetes, DNS, files"
    " and HTTP only",
)
ALERTMANAGER: Final = Image(
    "quay.io/prometheus/alertmanager:v0.33.1",
    (
        Program(programs.ALERTMANAGER, "alertmanager", "/bin/alertmanager"),
        Program(programs.ALERTMANAGER, "amtool", "/bin/amtool"),
    ),
    settings=Settings(("/bin/alertmanager",), user="nobody"),
    note="without its web page, whose files are no part of the module",
)
NODE_EXPORTER: Final = Image(
    "quay.io/prometheus/node-exporter:v1.12.1",
    (Program(sources.NODE_EXPORTER, "node_exporter", "/bin/node_exporter"),),
    settings=Settings(("/bin/node_exporter",), user="nobody"),
)
KUBE_STATE_METRICS: Final = Image(
    "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.19.1",
    (Program(sources.KUBE_STATE_METRICS, "kube-state-metrics", "/kube-state-metrics"),),
    settings=Settings(("/kube-state-metrics", "--port=8080", "--telemetry-port=8081"), user="nobody"),
)
METRICS_SERVER: Final = Image(
    "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
    (Program(sources.METRICS_SERVER, "metrics-server", "/metrics-server"),),
    settings=Settings(("/metrics-server",), user="65534"),
)
INFLUXDB: Final = Image(
    "docker.io/library/influxdb:2.9.1",
    (Program(sources.INFLUXDB, "influxd", "/usr/local/bin/influxd"),),
    packages=SHELL,
    links=APPLETS,
    files=(("/entrypoint.sh", (sources.ADDED / "influxdb.sh").read_text()),),
    settings=Settings(("/entrypoint.sh",), ("influxd",)),
    note="without its web page and the `influx` command; its first start is set up by a script of ours",
)
TELEGRAF: Final = Image(
    "docker.io/library/telegraf:1.39.3",
    (Program(sources.TELEGRAF, "telegraf", "/usr/bin/telegraf"),),
    settings=Settings(("/usr/bin/telegraf",)),
    note="with the plugins that the platform's configuration uses, by Telegraf's own build tags, and no others",
)
GIT: Final = (
    "git", "libbrotli1", "libcom-err2", "libcurl3t64-gnutls", "libgmp10", "libgnutls30t64", "libgssapi-krb5-2",
    "libhogweed6t64", "libidn2-0", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "libldap2",
    "libnettle8t64", "libnghttp2-14", "libnghttp3-9", "libngtcp2-16", "libngtcp2-crypto-gnutls8", "libp11-kit0",
    "libpcre2-8-0", "libpsl5t64", "librtmp1", "libsasl2-2", "libssh2-1t64", "libtasn1-6", "libunistring5",
)  # fmt: skip
RECONCILER: Final = Image(
    "registry.registry.svc:5000/reconciler:0.1.0",
    (Program(project.here(), "lib", "/opt/reconciler/lib"),),
    packages=(*project.PACKAGES, *GIT, *SHELL),
    links=APPLETS,
    files=(
        (
            "/opt/reconciler/bin/reconciler",
            f"#!/usr/bin/python{project.PYTHON}\nfrom reconciler.cli.main import run\n\nrun()\n",
        ),
        ("/etc/passwd", f"{PASSWD}reconciler:x:65532:65532::/tmp:/usr/sbin/nologin\n"),
    ),
    settings=Settings(
        ("/opt/reconciler/bin/reconciler",),
        user="65532:65532",
        env=("HOME=/tmp", "PYTHONPATH=/opt/reconciler/lib", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"),
    ),
    note="the working tree, on Debian's Python 3.13 instead of 3.11; without ssh and certificates of public authorities",
)
GLUSTERFS: Final = Image(
    "registry.registry.svc:5000/glusterfs:11.1",
    packages=(
        *SHELL, "attr", "glusterfs-cli", "glusterfs-client", "glusterfs-common", "glusterfs-server", "libacl1",
        "libaio1t64", "libattr1", "libblkid1", "libcom-err2", "libedit2", "libgfapi0", "libgfchangelog0",
        "libgfrpc0", "libgfxdr0", "libglusterfs0", "libgssapi-krb5-2", "libicu76", "libk5crypto3",
        "libkeyutils1", "libkrb5-3", "libkrb5support0", "libmount1", "libpcre2-8-0",
        "libselinux1", "libtirpc-common", "libtirpc3t64",
        "liburcu8t64", "libxml2", "mount", *project.PACKAGES,
    ),
    links=(*APPLETS, ("/usr/bin/python3", "python3.13"), ("/var/run", "/run")),
    files=(("/run/gluster/.keep", ""), ("/var/log/glusterfs/.keep", "")),
    settings=Settings(("/usr/sbin/glusterd", "--no-daemon")),
    note="nobody publishes this one: the server and the client, for volumes outside of the cluster",
)  # fmt: skip

IMAGES: Final = (
    BUSYBOX,
    REGISTRY,
    REGISTRY_NEXT,
    COREDNS,
    FLANNEL,
    FLANNEL_CNI_PLUGIN,
    NETWORK_POLICIES,
    LOCAL_PATH,
    PROMETHEUS,
    ALERTMANAGER,
    NODE_EXPORTER,
    KUBE_STATE_METRICS,
    METRICS_SERVER,
    INFLUXDB,
    TELEGRAF,
    RECONCILER,
    GLUSTERFS,
)
