"""What the annotation says: one recipe for each value, or for the few that belong together."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, field

from reconciler import yaml
from reconciler.environment.models import Strict, Unfit, matching
from reconciler.environment.strict import validated
from reconciler.errors import ConfigError, Problem
from reconciler.model.identity import ObjectId
from reconciler.model.marks import GENERATE
from reconciler.model.origin import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.resource import Resource

KEPT: Final = 512
SecretName = Annotated[
    str,
    matching(
        r"([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?",
        "the name of a Secret, after namespace/ where it is in another",
    ),
]


class Password(Strict, frozen=True):
    """Random characters, from the operating system's source for secrets."""

    length: Annotated[int, Meta(ge=8, le=1024)] = 24
    alphabet: Literal["alphanumeric", "hex", "base64"] = "alphanumeric"


class Copy(Strict, frozen=True):
    """The value of another Secret; it follows that one."""

    secret: SecretName
    key: str


class Htpasswd(Strict, frozen=True):
    """A line of an htpasswd file (bcrypt) for a password that stands in the same Secret."""

    user: Annotated[str, matching(r"[^:\s]+", "no colon and no space")]
    password: Annotated[str, Meta(description="the key of the password")]


class KeyPair(Strict, frozen=True):
    """A private key (PKCS 8, PEM) under `<key>.key` and its public half under `<key>.pub`."""

    algorithm: Literal["rsa", "ecdsa", "ed25519"] = "ecdsa"
    bits: Annotated[Literal[2048, 3072, 4096], Meta(description="of an RSA key")] = 4096


class Certificate(Strict, frozen=True):
    """A certificate: `<key>.crt`, `<key>.key` and `ca.crt`, made anew when a third of its time is left.

    Without an authority it is an authority itself (a root, which signs for others and not for servers).
    """

    common_name: Annotated[str, Meta(min_length=1, max_length=64)]
    dns_names: tuple[str, ...] = ()
    days: Annotated[int, Meta(ge=1, le=7300)] = 365
    authority: Annotated[
        SecretName | None, Meta(description="the Secret of an authority, made by such a recipe called tls")
    ] = None


class Given(Strict, frozen=True):
    """A value that nobody can make: somebody puts it into the cluster before the first apply, and it is kept."""

    by: Annotated[str, Meta(description="who knows it, e.g. the team that runs the database")] = ""


class Recipe(Strict, frozen=True):
    """How one value is made: exactly one of the ways."""

    password: Password | None = None
    copied: Copy | None = field(default=None, name="copy")
    htpasswd: Htpasswd | None = None
    key_pair: KeyPair | None = None
    certificate: Certificate | None = None
    given: Given | None = None

    def __post_init__(self) -> None:
        """Check that there is one way."""
        ways = (self.password, self.copied, self.htpasswd, self.key_pair, self.certificate, self.given)
        if sum(way is not None for way in ways) != 1:
            raise Unfit("expected exactly one of password, copy, htpasswd, keyPair, certificate, given")

    def keys(self, key: str) -> tuple[str, ...]:
        """Return the keys of the Secret that it fills; `key` is the one in the annotation."""
        if self.certificate is not None:
            return f"{key}.crt", f"{key}.key", "ca.crt"
        return (f"{key}.key", f"{key}.pub") if self.key_pair is not None else (key,)

    def source(self, namespace: str) -> ObjectId | None:
        """Return the Secret that it takes something of."""
        name = self.copied.secret if self.copied is not None else self.certificate and self.certificate.authority
        if not name:
            return None
        there, _, plain = name.rpartition("/")
        return ObjectId("", "Secret", there or namespace, plain)


def recipes_of(resource: Resource) -> Mapping[str, Recipe]:
    """Return the recipes of an object, {} where it has none; raises ConfigError with the line of the annotation."""
    text = resource.annotations.get(GENERATE)
    if text is None:
        return {}
    annotations = resource.body["metadata"]["annotations"]
    origin = getattr(annotations, "origins", {}).get(GENERATE) or resource.origin
    file, line = (origin.source.file, origin.line) if origin is not None else ("", 0)
    if resource.id.group_kind != ("", "Secret"):
        raise ConfigError([Problem(file, line, f"{resource.id}: {GENERATE} is for Secrets only")])
    try:
        return _parsed(text)
    except ValueError as error:
        hint = "expected a mapping such as `password: {password: {length: 24}}`"
        raise ConfigError([Problem(file, line, f"{resource.id}: {GENERATE}: {error}", hint)]) from error


def sources_of(text: str, namespace: str) -> Iterator[ObjectId]:
    """Yield the Secrets that have to be there before what an annotation asks for can be made."""
    for recipe in _parsed(text).values():
        source = recipe.source(namespace)
        if source is not None:
            yield source


@lru_cache(maxsize=KEPT)
def _parsed(text: str) -> Mapping[str, Recipe]:
    try:
        documents = yaml.parse(text, Source("", ""))
    except ConfigError as error:
        raise ValueError("; ".join(problem.message for problem in error.problems)) from error
    if len(documents) != 1 or not isinstance(documents[0], dict) or not documents[0]:
        raise ValueError("it is no mapping")
    found, wrong = validated(dict[str, Recipe], documents[0], "")
    if found is None:
        raise ValueError("; ".join(str(replace(problem, line=0)) for problem in wrong))
    for key, recipe in found.items():
        if recipe.htpasswd is not None and recipe.htpasswd.password == key:
            raise ValueError(f"{key}: its password has to be under another key")
    return found
