"""The files that the programs of a sandbox read: certificates, keys, the audit policy, the kubeconfig."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.sandbox.certificates import Pair
    from reconciler.sandbox.commands import Settings

AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def write(settings: Settings, name: str) -> Pair:
    """Write them all into the sandbox's folder; what is secret is for its owner alone. Return the authority."""
    from reconciler.sandbox import certificates  # only a start needs cryptography; finding a sandbox must not load it

    ca = certificates.authority(f"sandbox-{name}")
    admin = certificates.client(ca, "admin", ("system:masters",))
    serving = certificates.server(
        ca,
        "kube-apiserver",
        ("127.0.0.1", settings.service_address, *({settings.address} - {"127.0.0.1"})),
        ("localhost", "kubernetes.default.svc"),
    )
    caller = certificates.client(ca, "kube-apiserver", ("system:masters",))
    front = certificates.authority(f"sandbox-{name}-front")  # of its own: whoever it vouches for may name any user
    aggregator = certificates.client(front, "front-proxy-client", ())
    tokens = certificates.signing_key()
    secret = {
        "ca.key": ca.key_pem,
        "server.key": serving.key_pem,
        "kubelet-client.key": caller.key_pem,
        "front-client.key": aggregator.key_pem,
        "tokens.key": certificates.private_pem(tokens),
        "kubeconfig": yaml.dump(kubeconfig(settings.server, f"sandbox-{name}", ca, admin)).encode(),
    }
    public = {
        "ca.crt": ca.certificate_pem,
        "server.crt": serving.certificate_pem,
        "kubelet-client.crt": caller.certificate_pem,
        "front-ca.crt": front.certificate_pem,
        "front-client.crt": aggregator.certificate_pem,
        "tokens.pub": certificates.public_pem(tokens),
        "audit.yaml": yaml.dump(AUDIT_POLICY).encode(),
    }
    for file, content in {**secret, **public}.items():
        write_file(settings.directory / file, content, secret=file in secret)
    return ca


def write_file(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file and the folders above it; what is secret is never readable by others, not for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600 if secret else 0o644)
    path.write_bytes(content)


def kubeconfig(server: str, title: str, ca: Pair, user: Pair) -> dict[str, Any]:
    """Return the kubeconfig of one user of one server, with one context that is called `title`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": title,
        "contexts": [{"name": title, "context": {"cluster": title, "user": title}}],
        "clusters": [
            {
                "name": title,
                "cluster": {"server": server, "certificate-authority-data": _encoded(ca.certificate_pem)},
            }
        ],
        "users": [
            {
                "name": title,
                "user": {
                    "client-certificate-data": _encoded(user.certificate_pem),
                    "client-key-data": _encoded(user.key_pem),
                },
            }
        ],
    }


def _encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
