"""Secrets that are made in the cluster: recipes, what is kept, what is made anew."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from reconciler import yaml
from reconciler.errors import ConfigError
from reconciler.generated import PENDING, expanded, pending_keys, recipes_of, settled, sources_of
from reconciler.generated.make import ALPHABETS, made
from reconciler.model.identity import ObjectId
from reconciler.model.marks import GENERATE
from reconciler.model.origin import Source
from reconciler.model.resource import Desired, Resource
from reconciler.model.tree import Map

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2030, 1, 1, tzinfo=UTC)
Data = dict[str, str]


def secret(recipes: str, name: str = "keys", namespace: str = "web", extra: str = "") -> Resource:
    """Return a Secret with a generate annotation."""
    text = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  annotations:\n    {GENERATE}: |\n"
    text += "".join(f"      {line}\n" for line in recipes.splitlines()) + extra
    body = yaml.parse(text, Source("web.yaml", "web"))[0]
    return Resource(ObjectId.of(body), "v1", body)


def run(live: dict[ObjectId, Data], *resources: Resource, now: datetime = NOW) -> dict[ObjectId, Data]:
    """Plan and apply Secrets in this order; return what the cluster has then."""
    desired = settled(expanded(Desired("dev", None, {"web": resources})), bodies(live), now)
    cluster = dict(live)
    for _, item in desired.resources:
        recipes = recipes_of(item)
        others = {
            name: cluster.get(source, {})
            for name, recipe in recipes.items()
            if (source := recipe.source(item.id.namespace)) is not None
        }
        cluster[item.id] = made(recipes, item.body["data"], others, now)
    return cluster


def bodies(data: Mapping[ObjectId, Data]) -> dict[ObjectId, Any]:
    """Return data as objects."""
    return {identity: {"data": values} for identity, values in data.items()}


def text(data: Mapping[str, str], key: str) -> str:
    """Return a decoded value."""
    return base64.b64decode(data[key]).decode()


@given(st.integers(8, 200), st.sampled_from(sorted(ALPHABETS)))
def test_passwords_are_as_long_and_of_the_characters_that_are_asked_for(length: int, alphabet: str) -> None:
    item = secret(f"password: {{password: {{length: {length}, alphabet: {alphabet}}}}}")
    first, second = (run({}, item)[item.id] for _ in range(2))
    assert len(text(first, "password")) == length
    assert set(text(first, "password")) <= set(ALPHABETS[alphabet])
    assert first != second


def test_what_the_cluster_has_is_kept() -> None:
    item = secret("a: {password: {}}\nb: {keyPair: {}}\nc: {certificate: {commonName: ca}}")
    first = run({}, item)
    assert set(first[item.id]) == {"a", "b.key", "b.pub", "c.crt", "c.key", "ca.crt"}
    assert run(first, item) == first


def test_a_given_value_is_kept() -> None:
    item = secret("a: {given: {}}\nb: {password: {}}")
    live = {item.id: {"a": base64.b64encode(b"theirs").decode()}}
    assert text(run(live, item)[item.id], "a") == "theirs"


def test_only_what_is_missing_is_made() -> None:
    item = secret("a: {password: {}}\nb: {password: {}}")
    first = run({}, item)
    kept = {key: value for key, value in first[item.id].items() if key == "a"}
    second = run({item.id: kept}, item)
    assert second[item.id]["a"] == first[item.id]["a"]
    assert second[item.id]["b"] != first[item.id]["b"]


def test_a_copy_follows_its_source() -> None:
    source = secret("password: {password: {}}", "source", "data")
    copy = secret("pass: {copy: {secret: data/source, key: password}}")
    first = run({}, source, copy)
    assert first[copy.id]["pass"] == first[source.id]["password"]
    changed = {**first, source.id: {"password": base64.b64encode(b"by hand").decode()}}
    assert run(changed, source, copy)[copy.id]["pass"] == changed[source.id]["password"]
    lost = {copy.id: first[copy.id]}
    anew = run(lost, source, copy)
    assert anew[copy.id]["pass"] == anew[source.id]["password"] != first[source.id]["password"]


def test_htpasswd_is_of_the_password_beside_it() -> None:
    item = secret("users: {htpasswd: {user: pull, password: password}}\npassword: {password: {}}")
    first = run({}, item)
    user, _, hashed = text(first[item.id], "users").strip().partition(":")
    assert user == "pull"
    assert bcrypt.checkpw(text(first[item.id], "password").encode(), hashed.encode())
    assert run(first, item) == first
    lost = {item.id: {"users": first[item.id]["users"]}}
    anew = run(lost, item)[item.id]
    assert bcrypt.checkpw(text(anew, "password").encode(), text(anew, "users").strip().partition(":")[2].encode())


@pytest.mark.parametrize(
    ("recipe", "kind"), [("{}", "EC"), ("{algorithm: rsa, bits: 2048}", "RSA"), ("{algorithm: ed25519}", "Ed25519")]
)
def test_key_pairs_belong_together(recipe: str, kind: str) -> None:
    item = secret(f"k: {{keyPair: {recipe}}}")
    data = run({}, item)[item.id]
    key = serialization.load_pem_private_key(text(data, "k.key").encode(), None)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert text(data, "k.pub").encode() == public
    assert kind in type(key).__name__


CA = "tls: {certificate: {commonName: our-ca, days: 900}}"
LEAF = "tls: {certificate: {commonName: server, dnsNames: [server.web.svc, localhost], days: 90, authority: ca}}"


def certificates() -> tuple[Resource, Resource, dict[ObjectId, Data]]:
    """Return an authority, a certificate of it, and both in a cluster."""
    authority, leaf = secret(CA, "ca"), secret(LEAF)
    return authority, leaf, run({}, authority, leaf)


def test_a_certificate_is_signed_by_its_authority() -> None:
    authority, leaf, live = certificates()
    certificate = x509.load_pem_x509_certificate(text(live[leaf.id], "tls.crt").encode())
    root = x509.load_pem_x509_certificate(text(live[authority.id], "tls.crt").encode())
    certificate.verify_directly_issued_by(root)
    assert live[leaf.id]["ca.crt"] == live[authority.id]["tls.crt"] == live[authority.id]["ca.crt"]
    store = x509.verification.Store([root])
    verifier = x509.verification.PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName("localhost"))
    assert verifier.verify(certificate, [])
    assert run(live, authority, leaf) == live


def test_a_certificate_is_made_anew_in_time_and_not_before() -> None:
    authority, leaf, live = certificates()
    assert run(live, authority, leaf, now=NOW + timedelta(days=59)) == live
    later = run(live, authority, leaf, now=NOW + timedelta(days=61))
    assert later[authority.id] == live[authority.id]
    assert later[leaf.id]["tls.crt"] != live[leaf.id]["tls.crt"]


@pytest.mark.parametrize(("old", "new"), [("server.web.svc", "other.web.svc"), ("commonName: server", "commonName: x")])
def test_a_certificate_that_is_asked_to_be_another_is_made_anew(old: str, new: str) -> None:
    authority, leaf, live = certificates()
    assert run(live, authority, secret(LEAF.replace(old, new)))[leaf.id] != live[leaf.id]


def test_a_new_authority_signs_everything_anew() -> None:
    authority, leaf, live = certificates()
    anew = run({leaf.id: live[leaf.id]}, authority, leaf)
    assert anew[leaf.id]["ca.crt"] == anew[authority.id]["tls.crt"] != live[authority.id]["tls.crt"]


def test_sources_order_and_keys() -> None:
    assert list(sources_of(LEAF, "web")) == [ObjectId("", "Secret", "web", "ca")]
    ((_, item),) = expanded(Desired("dev", None, {"web": (secret(LEAF),)})).resources
    assert pending_keys(item.body) == {"tls.crt", "tls.key", "ca.crt"}
    assert item.body["data"].origins["tls.crt"].line == 7


@pytest.mark.parametrize(
    ("recipes", "told"),
    [
        ("password: {password: {lenght: 3}}", "password.password.lenght"),
        ("password: {password: {length: 3}}", "password.password.length is 3 (expected 8 to 1024)"),
        ("password: {}", "exactly one of password, copy"),
        ("password: {password: {}, copy: {secret: a, key: b}}", "exactly one of"),
        ("just text", "it is no mapping"),
        ("a: {htpasswd: {user: x, password: a}}", "under another key"),
        ('a: {htpasswd: {user: "x\\n", password: b}}', "expected no colon and no space"),
        ("a: [", "web.yaml:7"),
        ("tls: {certificate: {commonName: a}}\nca.crt: {password: {}}", "ca.crt is given and generated"),
    ],
)
def test_recipes_are_read_strictly(recipes: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        expanded(Desired("dev", None, {"web": (secret(recipes),)}))
    assert told in str(raised.value)
    assert "keys" in str(raised.value)


def test_a_given_value_has_no_recipe() -> None:
    with pytest.raises(ConfigError, match="a is given and generated"):
        expanded(Desired("dev", None, {"web": (secret("a: {password: {}}", extra="stringData: {a: x}\n"),)}))


def test_only_secrets_have_recipes() -> None:
    body = Map({**secret("a: {password: {}}").body, "kind": "ConfigMap"})
    with pytest.raises(ConfigError, match="for Secrets only"):
        expanded(Desired("dev", None, {"web": (Resource(ObjectId.of(body), "v1", body),)}))


@pytest.mark.parametrize(
    ("recipe", "other", "told"),
    [
        ("a: {copy: {secret: s, key: k}}", {}, "Secret s has no key k"),
        ("tls: {certificate: {commonName: a, authority: s}}", {"tls.crt": "eA=="}, "Secret s is no authority"),
        ("a: {htpasswd: {user: x, password: b}}", {}, "no password under b"),
        ("a: {given: {by: the team of the database}}", {}, "put into the Secret by the team of the database"),
    ],
)
def test_what_cannot_be_made_says_what_is_missing(recipe: str, other: Data, told: str) -> None:
    item = secret(recipe)
    recipes = recipes_of(item)
    keys = itertools.chain.from_iterable(value.keys(name) for name, value in recipes.items())
    with pytest.raises(ValueError, match=told):
        made(recipes, dict.fromkeys(keys, PENDING), dict.fromkeys(recipes, other), NOW)
