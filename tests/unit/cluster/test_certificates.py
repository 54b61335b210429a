"""Client certificates and certificate authorities, as a kubeconfig holds them."""

from __future__ import annotations

import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.cluster import credentials
from reconciler.cluster.kubeconfig import Context
from reconciler.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """Return a certificate that signs for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "admin")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), private.decode()


def encoded(text: str) -> str:
    """Return base64."""
    return base64.b64encode(text.encode()).decode()


async def test_certificates_may_stand_in_the_kubeconfig(pair: tuple[str, str]) -> None:
    certificate, key = map(encoded, pair)
    cluster = {"server": "https://x", "certificate-authority-data": certificate, "tls-server-name": "y"}
    user = {"client-certificate-data": certificate, "client-key-data": key}
    access = await credentials.of_context(Context("c", "c", cluster, user))
    assert access.tls is not None
    assert len(access.tls.get_ca_certs()) == 1
    assert (access.tls.verify_mode, access.server_name) == (ssl.CERT_REQUIRED, "y")


async def test_certificates_may_stand_in_files(tmp_path: Path, pair: tuple[str, str]) -> None:
    files = [tmp_path / name for name in ("tls.crt", "tls.key")]
    for file, text in zip(files, pair, strict=True):
        file.write_text(text)
    user = {"client-certificate": str(files[0]), "client-key": str(files[1])}
    cluster = {"server": "https://x", "certificate-authority": str(files[0])}
    assert (await credentials.of_context(Context("c", "c", cluster, user))).tls is not None


async def test_a_key_that_does_not_fit_is_told(pair: tuple[str, str]) -> None:
    user = {"client-certificate-data": encoded(pair[0]), "client-key-data": encoded("no key")}
    with pytest.raises(ConfigError, match="context c: its certificates cannot be used"):
        await credentials.of_context(Context("c", "c", {"server": "https://x"}, user))


async def test_verification_is_left_out_only_where_that_is_said() -> None:
    cluster = {"server": "https://x", "insecure-skip-tls-verify": True}
    access = await credentials.of_context(Context("c", "c", cluster, {}))
    assert access.tls is not None
    assert access.tls.verify_mode == ssl.CERT_NONE


async def test_an_exec_plugin_may_give_a_certificate(tmp_path: Path, pair: tuple[str, str]) -> None:
    version = "client.authentication.k8s.io/v1"
    status = {"clientCertificateData": pair[0], "clientKeyData": pair[1]}
    answer = tmp_path / "answer"
    answer.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
    user = {"exec": {"apiVersion": version, "command": "cat", "args": [str(answer)]}}
    access = await credentials.of_context(Context("c", "c", {"server": "https://x"}, user))
    assert await access.authorize(False) == ""
    answer.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {}}))
    with pytest.raises(ConfigError, match="cat answered with neither a token nor a certificate and key"):
        await access.authorize(True)


async def test_a_service_account_needs_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match=r"cluster\.inCluster is set, but this does not run in a Pod"):
        await credentials.of_service_account()
