"""The files that the programs of a sandbox read: certificates, keys, the audit policy, the kubeconfig."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from reconciler import yaml

if TYPE_CHECKING:
    from reconciler.sandbox.certificates import Pair
    from reconciler.sandbox.commands import Settings

AUDIT_POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def write(settings: Settings, name: str) -> None:
    """Write them all into the sandbox's folder; what is secret is for its owner alone."""
    from reconciler.sandbox import certificates  # only a start needs cryptography; finding a sandbox must not load it

    ca = certificates.authority(f"sandbox-{name}")
    admin = certificates.client(ca, "admin", ("system:masters",))
    serving = certificates.server(
        ca, "kube-apiserver", ("127.0.0.1", settings.service_address), ("localhost", "kubernetes.default.svc")
    )
    tokens = certificates.signing_key()
    secret = {
        "ca.key": ca.key_pem,
        "server.key": serving.key_pem,
        "tokens.key": certificates.private_pem(tokens),
        "kubeconfig": yaml.dump(_kubeconfig(settings.server, f"sandbox-{name}", ca, admin)).encode(),
    }
    public = {
        "ca.crt": ca.certificate_pem,
        "server.crt": serving.certificate_pem,
        "tokens.pub": certificates.public_pem(tokens),
        "audit.yaml": yaml.dump(AUDIT_POLICY).encode(),
    }
    for file, content in {**secret, **public}.items():
        path = settings.directory / file
        path.touch(mode=0o600 if file in secret else 0o644)
        path.write_bytes(content)


def _kubeconfig(server: str, title: str, ca: Pair, user: Pair) -> dict[str, Any]:
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
