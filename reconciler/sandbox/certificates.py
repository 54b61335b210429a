"""The certificates of one sandbox: its own CA, a serving certificate, client certificates."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

LIFETIME: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key as PEM (PKCS 8, not encrypted)."""
        return private_pem(self.key)


def authority(name: str) -> Pair:
    """Return a new certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(made.sign(key, hashes.SHA256()), key)


def server(ca: Pair, name: str, addresses: Sequence[str], names: Sequence[str]) -> Pair:
    """Return a serving certificate for addresses and host names."""
    alternatives = [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(item)) for item in addresses)]
    key = ec.generate_private_key(ec.SECP256R1())
    made = _leaf(ca, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, ExtendedKeyUsageOID.SERVER_AUTH)
    made = made.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Pair(made.sign(ca.key, hashes.SHA256()), key)


def client(ca: Pair, user: str, groups: Sequence[str]) -> Pair:
    """Return a client certificate: the common name is the user, organisations are groups."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])
    return Pair(_leaf(ca, subject, key, ExtendedKeyUsageOID.CLIENT_AUTH).sign(ca.key, hashes.SHA256()), key)


def signing_key() -> ec.EllipticCurvePrivateKey:
    """Return a key that signs ServiceAccount tokens."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM (PKCS 8, not encrypted)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half of a key as PEM."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _leaf(
    ca: Pair, subject: x509.Name, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    return (
        _builder(subject, ca.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()),
            critical=False,
        )
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )
