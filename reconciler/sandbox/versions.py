"""Which programs make a sandbox and its real nodes, in which versions, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KUBERNETES: Final = "1.37.2"
ETCD: Final = "3.6.16"
KWOK: Final = "0.8.0"
CONTAINERD: Final = "2.4.2"
GO: Final = "1.26"  # the toolchain that the module files ask for


@dataclass(frozen=True, slots=True)
class Download:
    """An official binary. `path` and `checksum` are below `base`; `{system}` and `{machine}` stand for Go's names.

    `checksum` is a file of sha256 sums, either of this file alone or with a line for it. `member` is the program's path
    in the archive that `path` is, or "" where `path` is the program itself.
    """

    base: str
    path: str
    checksum: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """One program. `module` is the folder of its module file in `gomod`, `package` what `go build` is given.

    `version` is the one that is downloaded or built. A program found on the machine is asked with `version_arguments`
    and fits where its answer contains `says`. `download` is None where no checksum is published beside the binary.
    """

    name: str
    version: str
    says: str
    module: str
    package: str
    version_arguments: tuple[str, ...] = ("--version",)
    ldflags: str = "-s -w"
    download: Download | None = None


def _kubernetes(name: str, *version_arguments: str) -> Program:
    path = f"release/v{KUBERNETES}/bin/{{system}}/{{machine}}/{name}"
    major, minor, _ = KUBERNETES.split(".")
    flags = " ".join(
        f"-X {package}.{variable}={value}"
        for package, variable, value in (
            ("k8s.io/component-base/version", "gitVersion", f"v{KUBERNETES}"),
            ("k8s.io/component-base/version", "gitMajor", major),
            ("k8s.io/component-base/version", "gitMinor", minor),
            ("k8s.io/client-go/pkg/version", "gitVersion", f"v{KUBERNETES}"),
        )
    )
    return Program(
        name,
        KUBERNETES,
        f"v{major}.{minor}.",
        "kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        version_arguments or ("--version",),
        f"-s -w {flags}",
        Download("https://dl.k8s.io", path, f"{path}.sha256"),
    )


def _series(version: str) -> str:
    """Return the version without its last number: any patch of a series fits."""
    return version[: version.rindex(".") + 1]


_ETCD_RELEASE: Final = f"etcd-io/etcd/releases/download/v{ETCD}"
_ETCD_ARCHIVE: Final = f"etcd-v{ETCD}-{{system}}-{{machine}}"

PROGRAMS: Final = (
    Program(
        "etcd",
        ETCD,
        f"etcd Version: {_series(ETCD)}",
        "etcd",
        "go.etcd.io/etcd/server/v3",
        download=Download(
            "https://github.com",
            f"{_ETCD_RELEASE}/{_ETCD_ARCHIVE}.tar.gz",
            f"{_ETCD_RELEASE}/SHA256SUMS",
            f"{_ETCD_ARCHIVE}/etcd",
        ),
    ),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl", "version", "--client"),
    Program("kwok", KWOK, f"kwok version v{_series(KWOK)}", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)


_CONTAINERD_RELEASE: Final = f"containerd/containerd/releases/download/v{CONTAINERD}"
_CONTAINERD_ARCHIVE: Final = f"containerd-{CONTAINERD}-{{system}}-{{machine}}.tar.gz"


def _containerd(name: str, *version_arguments: str) -> Program:
    package = "github.com/containerd/containerd/v2"
    flags = f"-X {package}/version.Version=v{CONTAINERD}"
    return Program(
        name,
        CONTAINERD,
        f"v{_series(CONTAINERD)}",
        "containerd",
        f"{package}/cmd/{name}",
        version_arguments or ("--version",),
        f"-s -w {flags}",
        Download(
            "https://github.com",
            f"{_CONTAINERD_RELEASE}/{_CONTAINERD_ARCHIVE}",
            f"{_CONTAINERD_RELEASE}/{_CONTAINERD_ARCHIVE}.sha256sum",
            f"bin/{name}",
        ),
    )


NODE_PROGRAMS: Final = (
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2", "-v"),
    _containerd("ctr"),
    Program("pause", "1", "", "pause", "."),
)
"""What a real node needs beside them; `runc` and the CNI plugins are the machine's own."""
