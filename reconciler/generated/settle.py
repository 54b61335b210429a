"""Which of the values that the cluster has are kept, and which are to be made anew."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from reconciler.generated.pending import PENDING, with_data
from reconciler.generated.recipes import recipes_of
from reconciler.model.marks import GENERATE
from reconciler.model.resource import Desired

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography import x509

    from reconciler.generated.recipes import Certificate, Recipe
    from reconciler.model.identity import ObjectId
    from reconciler.model.resource import Resource


def settled(desired: Desired, live: Mapping[ObjectId, Mapping[str, Any]], now: datetime) -> Desired:
    """Return the same objects with the cluster's values in place of pending ones.

    Pending stays what the cluster does not have, what follows another value that is pending, and a certificate that
    does not fit its recipe any more, is of another authority, or has less than a third of its time left.
    """
    wanted = {item.id: item for _, item in desired.resources if GENERATE in item.annotations}
    if not wanted:
        return desired
    look = _Look(wanted, live, now)
    return Desired(
        desired.environment,
        desired.revision,
        {
            name: tuple(with_data(item, look.values(item)) if item.id in wanted else item for item in items)
            for name, items in desired.components.items()
        },
        desired.warnings,
    )


class _Look:
    """One look at all Secrets that are made; what one holds may depend on another."""

    def __init__(
        self, wanted: Mapping[ObjectId, Resource], live: Mapping[ObjectId, Mapping[str, Any]], now: datetime
    ) -> None:
        self._wanted, self._live, self._now = wanted, live, now
        self._known: dict[ObjectId, dict[str, str]] = {}

    def values(self, resource: Resource) -> dict[str, str]:
        """Return what each key that a recipe fills is to hold."""
        known = self._known.get(resource.id)
        if known is not None:
            return known
        found = self._known[resource.id] = {}  # one that needs itself finds nothing, and is a cycle of the graph
        recipes = recipes_of(resource)
        for name in sorted(recipes, key=lambda key: recipes[key].htpasswd is not None):  # those follow a password
            recipe = recipes[name]
            keys = recipe.keys(name)
            kept = self._kept(resource, recipe, keys)
            found.update(dict(zip(keys, kept, strict=True)) if kept else dict.fromkeys(keys, PENDING))
        return found

    def _kept(self, resource: Resource, recipe: Recipe, keys: tuple[str, ...]) -> list[str]:
        """Return the values that stay, in the order of the keys; [] where they are to be made."""
        if recipe.copied is not None:
            value = self._value(recipe.source(resource.id.namespace), recipe.copied.key)
            return [value] if value else []
        data = (self._live.get(resource.id) or {}).get("data") or {}
        held = [str(data[key]) for key in keys if data.get(key)]
        if len(held) != len(keys):
            return []
        if recipe.htpasswd is not None:
            follows = self._known[resource.id].get(recipe.htpasswd.password) == PENDING
            return held if not follows and decoded(held[0]).startswith(f"{recipe.htpasswd.user}:".encode()) else []
        if recipe.certificate is not None:
            source = recipe.source(resource.id.namespace)
            authority = self._value(source, "tls.crt") if source is not None else held[0]
            return held if authority and self._fits(recipe.certificate, held, authority) else []
        return held

    def _value(self, source: ObjectId | None, key: str) -> str:
        """Return what another Secret holds; "" where that is not known yet."""
        if source is None:
            return ""
        other = self._wanted.get(source)
        if other is not None:
            made = self.values(other).get(key, "")
            return "" if made == PENDING else made or str((other.body.get("data") or {}).get(key, ""))
        return str(((self._live.get(source) or {}).get("data") or {}).get(key, ""))

    def _fits(self, recipe: Certificate, held: list[str], authority: str) -> bool:
        from cryptography import x509  # most environments are looked at without a certificate of ours

        try:
            certificate = x509.load_pem_x509_certificate(decoded(held[0]))
            issuer = x509.load_pem_x509_certificate(decoded(authority))
        except ValueError:
            return False
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return (
            [item.value for item in names] == [recipe.common_name]
            and sorted(_names(certificate)) == sorted(set(recipe.dns_names))
            and held[2] == authority
            and certificate.issuer == issuer.subject
            and ends - self._now >= (ends - begins) / 3
        )


def decoded(value: str) -> bytes:
    """Return what stands behind a value of `data`; b"" where it is no base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _names(certificate: x509.Certificate) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)
