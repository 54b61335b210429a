"""Client certificates and certificate authorities, as a kubeconfig holds them."""

from __future__ import annotations

import base64
import json
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.cluster import credentials
from reconciler.cluster.kubeconfig import Context
from reconciler.errors import ConfigError, Unauthorized

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


UNVERIFIED = {"server": "https://x", "insecure-skip-tls-verify": True}


def shown(client: ssl.SSLContext, pair: tuple[str, str], folder: Path) -> dict[str, Any]:
    """Return the certificate that a client shows to a server that asks for one."""
    own = folder / "server.pem"
    own.write_text("".join(pair))
    asking = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(own))
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.load_cert_chain(own)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = client.wrap_bio(back, there), asking.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found: dict[str, Any] = theirs.getpeercert() or {}
    return found


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


@pytest.mark.parametrize("inside", [(), ("certificate",), ("key",), ("certificate", "key")])
async def test_the_client_shows_its_certificate_wherever_both_parts_stand(
    tmp_path: Path, pair: tuple[str, str], inside: tuple[str, ...]
) -> None:
    user: dict[str, str] = {}
    for part, text in zip(("certificate", "key"), pair, strict=True):
        file = tmp_path / part
        file.write_text(text)
        user |= {f"client-{part}-data": encoded(text)} if part in inside else {f"client-{part}": str(file)}
    access = await credentials.of_context(Context("c", "c", UNVERIFIED, user))
    assert access.tls is not None
    assert shown(access.tls, pair, tmp_path)["subject"] == ((("commonName", "admin"),),)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "client-certificate-data",
            "eA==",
            "has a client-certificate and no client-key: add client-key, or client-key-data",
        ),
        (
            "client-key-data",
            "eA==",
            "has a client-key and no client-certificate: add client-certificate, or client-cert",
        ),
        ("client-certificate", "/nowhere/tls.crt", "/nowhere/tls.crt cannot be read: No such file or directory"),
        ("client-key", "/nowhere/tls.key", "/nowhere/tls.key cannot be read: No such file or directory"),
    ],
)
async def test_half_a_client_certificate_is_told(key: str, value: str, told: str) -> None:
    """To go on without would be to come as nobody."""
    with pytest.raises(ConfigError, match=f"^context c: (its user )?{told}"):
        await credentials.of_context(Context("c", "c", UNVERIFIED, {key: value}))


async def test_an_authority_that_is_not_there_is_named() -> None:
    cluster = {"server": "https://x", "certificate-authority": "/nowhere/ca.crt"}
    with pytest.raises(ConfigError, match=r"context c: /nowhere/ca\.crt cannot be read: No such file or directory"):
        await credentials.of_context(Context("c", "c", cluster, {}))


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
    with pytest.raises(Unauthorized, match="cat answered with neither a token nor a certificate and key"):
        await access.authorize(True)


async def test_a_service_account_needs_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match=r"cluster\.inCluster is set, but this does not run in a Pod"):
        await credentials.of_service_account()
