"""Making the values of Secrets: random characters, keys, certificates."""

from __future__ import annotations

import base64
import secrets
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reconciler.generated.pending import PENDING
from reconciler.generated.settle import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.generated.recipes import Certificate, Htpasswd, KeyPair, Password, Recipe

ALPHABETS: Final = {
    "alphanumeric": string.ascii_letters + string.digits,
    "hex": "0123456789abcdef",
    "base64": string.ascii_letters + string.digits + "+/",
}
ROUNDS: Final = 10  # of bcrypt: what htpasswd and registries are used to
CLOCKS_DIFFER: Final = timedelta(minutes=5)


def made(
    recipes: Mapping[str, Recipe], data: Mapping[str, str], others: Mapping[str, Mapping[str, str]], now: datetime
) -> dict[str, str]:
    """Return `data` with a value in place of each pending one.

    `others` holds the data of the Secrets that recipes name, by the name of the recipe. Raises ValueError saying what
    is missing in one of them.
    """
    found = dict(data)
    for name in sorted(recipes, key=lambda key: recipes[key].htpasswd is not None):  # those follow a password
        recipe = recipes[name]
        keys = recipe.keys(name)
        if any(found.get(key) == PENDING for key in keys):
            values = _values(name, recipe, found, others.get(name, {}), now)
            found.update(zip(keys, (base64.b64encode(value).decode() for value in values), strict=True))
    return found


def _values(
    key: str, recipe: Recipe, data: Mapping[str, str], other: Mapping[str, str], now: datetime
) -> tuple[bytes, ...]:
    if recipe.password is not None:
        return (_password(recipe.password),)
    if recipe.copied is not None:
        if recipe.copied.key not in other:
            raise ValueError(f"Secret {recipe.copied.secret} has no key {recipe.copied.key}")
        return (decoded(other[recipe.copied.key]),)
    if recipe.htpasswd is not None:
        return (_htpasswd(recipe.htpasswd, data),)
    if recipe.key_pair is not None:
        pair = _key(recipe.key_pair)
        return _private(pair), _public(pair)
    if recipe.certificate is not None:
        return _certificate(recipe.certificate, other, now)
    who = f" by {recipe.given.by}" if recipe.given is not None and recipe.given.by else ""
    raise ValueError(
        f"its value {key} is not in the cluster: it has to be put into the Secret{who}, with kubectl for instance"
    )


def _password(recipe: Password) -> bytes:
    alphabet = ALPHABETS[recipe.alphabet]
    return "".join(secrets.choice(alphabet) for _ in range(recipe.length)).encode()


def _htpasswd(recipe: Htpasswd, data: Mapping[str, str]) -> bytes:
    password = decoded(data.get(recipe.password, ""))
    if not password:
        raise ValueError(f"there is no password under {recipe.password}")
    return f"{recipe.user}:".encode() + bcrypt.hashpw(password, bcrypt.gensalt(ROUNDS)) + b"\n"


def _key(recipe: KeyPair) -> Any:
    if recipe.algorithm == "rsa":
        return rsa.generate_private_key(65537, recipe.bits)
    return (
        ec.generate_private_key(ec.SECP256R1()) if recipe.algorithm == "ecdsa" else ed25519.Ed25519PrivateKey.generate()
    )


def _certificate(recipe: Certificate, authority: Mapping[str, str], now: datetime) -> tuple[bytes, bytes, bytes]:
    """Return certificate, key and the certificate of its authority, all as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recipe.common_name)])
    signer: Any = key
    issuer, root = subject, b""
    if recipe.authority is not None:
        root = decoded(authority.get("tls.crt", ""))
        try:
            above = x509.load_pem_x509_certificate(root)
            signer = serialization.load_pem_private_key(decoded(authority.get("tls.key", "")), None)
        except ValueError as error:
            raise ValueError(
                f"Secret {recipe.authority} is no authority: expected tls.crt and tls.key in PEM"
            ) from error
        issuer = above.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=recipe.days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_usage(signs=recipe.authority is None), critical=True)
    )
    if recipe.authority is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    else:
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    if recipe.dns_names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dict.fromkeys(recipe.dns_names)])
        builder = builder.add_extension(names, critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    pem = builder.sign(signer, algorithm).public_bytes(serialization.Encoding.PEM)
    return pem, _private(key), root or pem


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: Any) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def _public(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem
