"""The adapter of the Harbor port against tests/harbor on loopback: pages, accounts, errors, tries again."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import AlreadyExists, ClusterError, NotFound, Silent, Unauthorized, Unavailable
from reconciler.harbor.endpoint import Credentials, Endpoint
from reconciler.harbor.wire import Wire
from reconciler.model.api import RequestCount
from tests.fakes.cluster import FakeCluster
from tests.harbor.server import TestHarbor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def harbor() -> Iterator[TestHarbor]:
    with TestHarbor() as server:
        yield server
        assert server.violations == []


def connected(harbor: TestHarbor, *, password: str = "", seconds: float = 5.0) -> tuple[Wire, RequestCount]:
    count = RequestCount()
    credentials = Credentials("admin", password or harbor.state.admin)
    return Wire(Endpoint(harbor.url, credentials, seconds=seconds), FakeCluster(), count), count


@pytest.fixture
async def wire(harbor: TestHarbor) -> AsyncIterator[Wire]:
    found, _ = connected(harbor)
    yield found
    await found.close()


async def test_collections_are_read_page_by_page(harbor: TestHarbor, wire: Wire) -> None:
    for number in range(230):
        harbor.state.create_project({"project_name": f"team-{number}"})
    found = await wire.list("/projects")
    assert [item["name"] for item in found] == [f"team-{number}" for number in range(230)]
    assert harbor.requests == [("GET", "/api/v2.0/projects")] * 3


async def test_a_new_object_is_known_by_its_location(harbor: TestHarbor, wire: Wire) -> None:
    made = await wire.create("/projects", {"project_name": "team"})
    assert made.id == harbor.state.project("team")["project_id"]
    assert wire.now.endswith("Z")


async def test_harbors_own_words_are_told(harbor: TestHarbor, wire: Wire) -> None:
    await wire.create("/projects", {"project_name": "team"})
    with pytest.raises(AlreadyExists, match="409: CONFLICT: The project named team already exists"):
        await wire.create("/projects", {"project_name": "team"})
    harbor.push("team/web", "1")
    with pytest.raises(ClusterError, match="412: PRECONDITION: the project contains repositories, can not be deleted"):
        await wire.delete("/projects/team")
    with pytest.raises(NotFound, match="404: NOT_FOUND: robot with ID 99 not found"):
        await wire.get("/robots/99")


async def test_a_registry_that_is_used_is_not_deleted(harbor: TestHarbor, wire: Wire) -> None:
    registry = await wire.create("/registries", {"name": "hub", "type": "docker-hub", "url": "https://hub.docker.com"})
    await wire.create("/projects", {"project_name": "cache", "registry_id": registry.id})
    with pytest.raises(ClusterError, match="referenced by proxy cache project"):
        await wire.delete(f"/registries/{registry.id}")
    await wire.delete("/projects/cache")
    policy = {"name": "p", "src_registry": {"id": registry.id}}
    made = await wire.create("/replication/policies", policy)
    with pytest.raises(ClusterError, match="referenced by replication policies"):
        await wire.delete(f"/registries/{registry.id}")
    await wire.delete(f"/replication/policies/{made.id}")
    await wire.delete(f"/registries/{registry.id}")


async def test_a_wrong_account_is_told_once_and_without_its_password(harbor: TestHarbor) -> None:
    wire, count = connected(harbor, password="Wrong-Password-1")
    with pytest.raises(Unauthorized, match="look at the Secret") as raised:
        await wire.list("/projects")
    await wire.close()
    assert "Wrong-Password-1" not in str(raised.value)
    assert "Wrong-Password-1" not in repr(wire._endpoint)
    assert count.snapshot() == {"harbor_read": 1}


async def test_reading_is_tried_again_and_making_is_not(harbor: TestHarbor, wire: Wire) -> None:
    harbor.fail(502, 2)
    assert await wire.list("/projects") == []
    harbor.fail(500, 1, method="POST")
    with pytest.raises(Unavailable, match="answered POST /projects with 500"):
        await wire.create("/projects", {"project_name": "team"})
    assert [item for item in harbor.requests if item[0] == "POST"] == [("POST", "/api/v2.0/projects")]


async def test_making_is_tried_again_where_harbor_says_that_it_is_too_much(harbor: TestHarbor, wire: Wire) -> None:
    harbor.fail(429, 1, method="POST", retry_after="1")
    made = await wire.create("/projects", {"project_name": "team"})
    assert made.id


async def test_a_silent_harbor_is_given_up(harbor: TestHarbor) -> None:
    harbor.faults.seconds = 0.4
    wire, _ = connected(harbor, seconds=0.1)
    with pytest.raises(Silent, match=r"did not answer within 0\.1 s"):
        await wire.list("/projects")
    await wire.close()
    harbor.faults.seconds = 0


async def test_a_restart_is_waited_for(harbor: TestHarbor, wire: Wire) -> None:
    import threading

    await wire.list("/projects")
    harbor.stop()
    threading.Timer(0.7, harbor.start).start()
    assert await wire.list("/projects") == []


async def test_a_guard_is_asked_before_writes_only(harbor: TestHarbor, wire: Wire) -> None:
    def lost() -> None:
        raise ClusterError("no longer ours")

    guarded = wire.guarded(lost)
    assert await guarded.list("/projects") == []
    with pytest.raises(ClusterError, match="no longer ours"):
        await guarded.create("/projects", {"project_name": "team"})
    assert harbor.state.projects == {}


async def test_a_certificate_is_verified() -> None:
    """Against the authority that the HarborServer names; no other one is believed."""
    import tempfile
    from pathlib import Path

    certificate, key = self_signed()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.write_text(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
    with TestHarbor(tls=context) as server:
        credentials = Credentials("admin", server.state.admin)
        trusting = Wire(Endpoint(server.url, credentials, certificate), FakeCluster(), RequestCount())
        assert await trusting.list("/projects") == []
        await trusting.close()
        doubting = Wire(Endpoint(server.url, credentials), FakeCluster(), RequestCount())
        with pytest.raises(ClusterError, match=r"no trusted connection .*; look at its certificateAuthority"):
            await doubting.list("/projects")
        await doubting.close()


def self_signed() -> tuple[str, str]:
    """Return a certificate for loopback, and its key."""
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "harbor")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
