"""The modules that the platform's programs are built from, at the versions that the platform names or the nearest to be had.

An edit leaves out what the platform does not use where that saves minutes, or takes what a dependency that cannot be had
or a kernel without some part asks for; the image's note says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.programs import Crate, Edit, Linked, Module, Source

ADDED: Final = Path(__file__).parent / "added"

REGISTRY_NEXT: Final = Source(
    "registry",
    "github.com/distribution/distribution/v3",
    "v3.1.2",
    "h1:/Bv2YIqqSR00HiO49FT93hovy6r9IlrzwUDsJjCN5qg=",
    ("./cmd/registry",),
    "-X github.com/distribution/distribution/v3/version.version=v3.1.2",
)
COREDNS: Final = Source(
    "coredns",
    "github.com/coredns/coredns",
    "v1.14.6",
    "h1:V2g2JdCWJVqYGdX8tlBiK0iQo23Pnt8xs8gHqKyFYs8=",
    (".",),
    edits=tuple(
        Edit("core/plugin/zplugin.go", f'\t_ "github.com/coredns/coredns/plugin/{name}"\n', "")
        for name in ("azure", "clouddns", "nomad", "route53")
    ),
)
FLANNEL: Final = Source(
    "flannel",
    "github.com/flannel-io/flannel",
    "v0.28.9",
    "h1:9+P0Pc8hearNZZpW6/Cc/4vEOiXaqQonYayDDeyibqY=",
    (".",),
    "-linkmode external -extldflags -static -X github.com/flannel-io/flannel/pkg/version.Version=v0.28.9",
    tags="netgo,osusergo",
    cgo=True,  # its udp backend is C
    edits=(Edit("main.go", '\t_ "github.com/flannel-io/flannel/pkg/backend/tencentvpc"\n', ""),),
)
FLANNEL_CNI_PLUGIN: Final = Module(
    "flannel-cni-plugin",
    "0.9.1",
    ("github.com/containernetworking/plugins/plugins/meta/flannel",),
    "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v0.9.1",
    gomod="nodes/gomod/flannel-cni-plugin",
)
QUEUE_STATEMENT: Final = """\
	queue := &expr.Queue{Num: uint16(c.config.QueueID)}
	if c.config.FailOpen {
		queue.Flag = expr.QueueFlagBypass
	}
"""
DATAPLANE: Final = "pkg/dataplane/controller.go"
NETWORK_POLICIES: Final = Source(
    "kube-network-policies",
    "sigs.k8s.io/kube-network-policies",
    "v1.1.1",
    "h1:ExnSqFxMUe8eQesK2ue5BM2pdZ6Z5d4MvJywDHJ6wqo=",
    ("./cmd/kube-network-policies/standard",),
    edits=(
        Edit(DATAPLANE, QUEUE_STATEMENT, "\tqueue := queueTarget(c.config)\n", times=2),
        Edit(DATAPLANE, "nfqueue.WithLabel(generateLabelMask(c.config.CTLabelAccept))", "withAcceptedMark(a)"),
        Edit(
            DATAPLANE,
            "\tif c.config.NetfilterBug1766Fix {\n\t\tc.addDNS",
            "\tc.addAcceptedRules(nft, table)\n\n\tif c.config.NetfilterBug1766Fix {\n\t\tc.addDNS",
        ),
    ),
    added=(("pkg/dataplane/nfqueue_compat.go", (ADDED / "nfqueue_compat.go").read_text()),),
)
LOCAL_PATH: Final = Source(
    "local-path-provisioner",
    "github.com/rancher/local-path-provisioner",
    "v0.0.30",
    "h1:OkiuofkCSscddl7tma/B9Ox1wu+JEVSrP7IcZI65Ggo=",
    (".",),
    "-X main.VERSION=v0.0.30",
)
COMMON_VERSION: Final = "-X github.com/prometheus/common/version.Version="
NODE_EXPORTER: Final = Source(
    "node-exporter",
    "github.com/prometheus/node_exporter",
    "v1.12.1",
    "h1:LzcZ6SqJRH2EULBz3Paa1t1uzQaaoo9domuz8FQDkiY=",
    (".",),
    f"{COMMON_VERSION}1.12.1",
)
KUBE_STATE_METRICS: Final = Source(
    "kube-state-metrics",
    "k8s.io/kube-state-metrics/v2",
    "v2.19.1",
    "h1:WScqb3jYHZOTYwMvmrVWhTljBZk6m7S5ArxAakgvNts=",
    (".",),
    f"{COMMON_VERSION}v2.19.1",
)
METRICS_SERVER: Final = Source(
    "metrics-server",
    "sigs.k8s.io/metrics-server",
    "v0.9.0",
    "h1:nlqqZ2H0Xfko8eJC/1qaNVVT17hu4rxndkOi22KTZ4w=",
    ("./cmd/metrics-server",),
    "-X k8s.io/client-go/pkg/version.gitVersion=v0.9.0",
)
LIBFLUX: Final = Crate(
    "flux",
    "github.com/influxdata/flux",
    "v0.200.0",
    "h1:r1KAmr0F0eZ3UV6p00HsJYRHbfCyF1ARA9lAwxD2VeM=",
    "libflux",
)
INFLUXDB: Final = Linked(
    "influxdb",
    "github.com/influxdata/influxdb/v2",
    "v2.9.1",
    "h1:lCCimWY/VpSmNyfOUm5WqKhZijlgJA8JHSD/+39XXuA=",
    ("./cmd/influxd",),
    "-X main.version=v2.9.1",
    tags="sqlite_foreign_keys,sqlite_json,static_build,netgo,osusergo",
    cgo=True,
    libraries=(LIBFLUX,),
)
TELEGRAF: Final = Source(
    "telegraf",
    "github.com/influxdata/telegraf",
    "v1.39.3",
    "h1:SauZnzw7fZPkMNFq+GxazjPr7MyGl1/saEYxxKKvdyU=",
    ("./cmd/telegraf",),
    "-X github.com/influxdata/telegraf/internal.Version=1.39.3",
    tags="custom,inputs.http_listener_v2,inputs.internal,outputs.health,outputs.influxdb_v2,parsers.prometheusremotewrite",
)
