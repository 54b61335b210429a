"""Which programs make a sandbox, in which versions, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KUBERNETES: Final = "1.37.2"
ETCD: Final = "3.6.16"
KWOK: Final = "0.8.0"
GO: Final = "1.26"  # the toolchain that the module files ask for


@dataclass(frozen=True, slots=True)
class Program:
    """One program. `module` is the folder of its module file in `gomod`, `package` what `go build` is given.

    `binary` is the path of the official binary below the download base and `checksum` that of its published sha256;
    both "" where no plain binary with a checksum of its own is published. `version_arguments` make the program tell
    its version, which has to contain `version`.
    """

    name: str
    version: str
    module: str
    package: str
    version_arguments: tuple[str, ...] = ("--version",)
    ldflags: str = "-s -w"
    binary: str = ""
    checksum: str = ""


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
        f"v{major}.{minor}.",
        "kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        version_arguments or ("--version",),
        f"-s -w {flags}",
        path,
        f"{path}.sha256",
    )


PROGRAMS: Final = (
    Program("etcd", ETCD.rsplit(".", 1)[0], "etcd", "go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl", "version", "--client"),
    Program("kwok", "kwok version", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
)
