"""An API server that answers badly: errors in bursts, broken lists and watches, silence. Nothing is lost or done twice."""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Platform, platform
from tests.faults.proxy import Fault, Proxy, Seen, proxy
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox

__all__ = ["platform"]
pytestmark = pytest.mark.cluster

ENVIRONMENT = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K", requestTimeout: %T}
      policy: {deletions: {max: 1000, shrink: 100}}
      components: [{name: web, path: web, timeout: 60s}]
    """


@pytest.fixture
def between(control_plane: Sandbox) -> Iterator[Proxy]:
    """Return a proxy in front of the shared API server."""
    with proxy(control_plane) as made:
        yield made


@pytest.fixture
def shop(platform: Platform, between: Proxy, tmp_path: Path, kubectl: Callable[..., str]) -> Platform:
    """Return a platform that talks through the proxy, with 120 ConfigMaps in a namespace that exists."""
    platform.kubeconfig = between.kubeconfig(tmp_path)
    kubectl("create", "namespace", platform.name)
    write(platform, between, 120)
    return platform


def write(
    shop: Platform, between: Proxy, count: int, *, value: str = "1", timeout: str = "60s", more: str = ""
) -> None:
    """Write what git wants: so many ConfigMaps, and something more."""
    text = ENVIRONMENT.replace("%C", f"sandbox-{between.plane.name}").replace("%T", timeout)
    bodies = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{number}"}, "data": {"v": value}}
        for number in range(count)
    )
    shop.write(
        {
            "environments/%N/environment.yaml": text,
            "environments/%N/web/kustomization.yaml": "namespace: %N\nresources: [all.yaml]\n",
            "environments/%N/web/all.yaml": "---\n".join([*(json.dumps(body) + "\n" for body in bodies), more]),
        }
    )


def listing(seen: Seen) -> bool:
    """Whether a request lists our ConfigMaps."""
    return seen.method == "GET" and seen.path.endswith("/configmaps") and "watch" not in seen.query


def objects(between: Proxy, shop: Platform) -> list[str]:
    """Return the objects of the platform's namespace that were written, as often as that was done."""
    return [path for path in between.written() if f"/namespaces/{shop.name}/" in path]


def test_bursts_of_errors_are_outlasted_and_nothing_is_written_twice(shop: Platform, between: Proxy) -> None:
    """Every third write is answered with an error at first; a 429 says how long to wait, and is waited for."""

    def rule(seen: Seen) -> Fault | None:
        if not seen.writes or seen.nth > 1 or "/c-" not in seen.path:
            return None
        kind = zlib.crc32(seen.path.encode()) % 9
        if kind == 0:
            return Fault(429, "TooManyRequests", {"Retry-After": "1"})
        return Fault((500, 503)[kind - 1], "InternalError") if kind in (1, 2) else None

    between.rule = rule
    shop.expect(0, "apply", shop.name, "--yes")
    written = Counter(path for path in objects(between, shop))
    assert (len(written), set(written.values())) == (120, {1})
    times = defaultdict(list)
    for seen, status in between.log:
        if seen.writes:
            times[seen.path].append((seen.begun, status))
    busy = [found for found in times.values() if found[0][1] == 429]
    assert busy
    assert all(found[1][0] - found[0][0] >= 1.0 for found in busy)
    shop.expect(0, "diff", shop.name, "--exit-code")


@pytest.mark.parametrize(("status", "reason"), [(429, "TooManyRequests"), (500, "InternalError"), (503, "Unavailable")])
def test_bursts_of_errors_at_reads_are_outlasted(shop: Platform, between: Proxy, status: int, reason: str) -> None:
    """Discovery, schemas, lists, dry-runs, the lists before deletions: each is refused at first, and none counts as empty."""
    shop.expect(0, "apply", shop.name, "--yes")
    write(shop, between, 60, value="2")
    between.log.clear()
    refused = set()

    def rule(seen: Seen) -> Fault | None:
        what = (seen.method, seen.path, "watch" in seen.query, "labelSelector" in seen.query)
        if seen.writes or what in refused:
            return None
        refused.add(what)
        return Fault(status, reason, {"Retry-After": "0"} if status == 429 else {})

    between.rule = rule
    shop.variables["RECONCILER_CACHE_DIR"] += "-cold"  # what is known of the server is asked for again
    shop.expect(0, "apply", shop.name, "--yes")
    assert len(refused) > 60, "each dry-run is one"
    assert Counter(seen.method for seen, code in between.log if seen.writes and "/c-" in seen.path and code == 200) == {
        "PATCH": 60,
        "DELETE": 60,
    }
    between.rule = lambda _: None
    shop.expect(0, "diff", shop.name, "--exit-code")


def test_a_connection_that_breaks_in_an_answer_is_made_again(shop: Platform, between: Proxy) -> None:
    """Nobody knows whether the write arrived: server-side apply may be sent again, and ends in the same state."""
    between.rule = lambda seen: Fault(drop=True) if seen.writes and seen.nth == 1 and "/c-1" in seen.path else None
    shop.expect(0, "apply", shop.name, "--yes")
    assert set(Counter(objects(between, shop)).values()) == {1, 2}
    shop.expect(0, "diff", shop.name, "--exit-code")


def test_a_conflict_is_never_sent_again(shop: Platform, between: Proxy) -> None:
    between.rule = lambda seen: Fault(409, "Conflict") if seen.writes and seen.path.endswith("/c-7") else None
    report = shop.expect(1, "apply", shop.name, "--yes", "-o", "json").json
    failed = [item["id"]["name"] for item in report["objects"] if item["result"] == "failed"]
    assert failed == ["c-7"]
    assert sum(1 for seen, status in between.log if status == 409) == 1
    between.rule = lambda _: None
    shop.expect(0, "apply", shop.name, "--yes")


def test_a_list_whose_pages_expire_goes_on_and_is_complete(shop: Platform, between: Proxy) -> None:
    write(shop, between, 620)
    shop.expect(0, "apply", shop.name, "--yes")
    between.log.clear()
    between.rule = lambda seen: (
        Fault(410, "Expired", token=seen.query["continue"])
        if listing(seen) and "continue" in seen.query and not expired(between)
        else None
    )
    plan = shop.expect(0, "diff", shop.name, "-o", "json").json
    assert len(expired(between)) == 1
    assert (plan["changes"], plan["summary"]["unchanged"]) == ([], 620)


def expired(between: Proxy) -> list[Seen]:
    return [seen for seen, status in between.log if status == 410]


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (400, "BadRequest")])
def test_a_list_that_fails_is_never_an_empty_one(shop: Platform, between: Proxy, status: int, reason: str) -> None:
    """Neither is anything made again, nor pruned: the run ends with the error, and writes nothing."""
    shop.expect(0, "apply", shop.name, "--yes")
    between.log.clear()
    write(shop, between, 60, value="2")
    between.rule = lambda seen: Fault(status, reason) if listing(seen) else None
    told = shop.expect(1, "apply", shop.name, "--yes")
    assert f"the proxy says {status}" in told.err
    assert "Traceback" not in told.err
    assert objects(between, shop) == []
    between.rule = lambda _: None
    shop.expect(0, "apply", shop.name, "--yes")
    assert Counter(seen.method for seen, _ in between.log if seen.writes and "/c-" in seen.path) == {
        "PATCH": 60,
        "DELETE": 60,
    }


def test_what_is_pruned_is_listed_again_and_kept_where_that_fails(shop: Platform, between: Proxy) -> None:
    """The plan could be made, but before the deletions the kind cannot be read any more."""
    shop.expect(0, "apply", shop.name, "--yes")
    between.log.clear()
    write(shop, between, 60)

    def rule(seen: Seen) -> Fault | None:
        lists = sum(1 for other, _ in between.log if listing(other) and "labelSelector" in other.query)
        return Fault(403, "Forbidden") if listing(seen) and lists >= 2 else None

    between.rule = rule
    told = shop.expect(1, "apply", shop.name, "--yes")
    assert "nothing is deleted without listing it again" in told.out
    assert not [seen for seen, _ in between.log if seen.method == "DELETE" and "/c-" in seen.path]
    between.rule = lambda _: None
    shop.expect(0, "apply", shop.name, "--yes")
    shop.expect(0, "diff", shop.name, "--exit-code")


def test_a_watch_that_is_too_old_is_begun_again(shop: Platform, between: Proxy) -> None:
    """A wait goes on after a new LIST."""
    job = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}\n'
    write(shop, between, 1, more=job)
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}

    def rule(seen: Seen) -> Fault | None:
        if "watch" not in seen.query or not seen.path.endswith("/services"):
            return None
        tried = sum(1 for other, _ in between.log if "watch" in other.query)
        if tried == 2:
            status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
            arguments = ("patch", "service", "lb", "-n", shop.name, "--subresource=status", "--type=merge", "-p")
            between.plane.run_kubectl(*arguments, json.dumps(status))
        return Fault(200, lines=(gone,)) if tried < 2 else None

    between.rule = rule
    shop.expect(0, "apply", shop.name, "--yes")
    lists = [seen for seen, _ in between.log if seen.path.endswith("/services") and "watch" not in seen.query]
    assert len(lists) >= 3


def test_a_server_that_falls_silent_ends_the_run_with_words(shop: Platform, between: Proxy) -> None:
    """The socket stays open and nothing comes: each request has its time, and so has the run."""
    write(shop, between, 30, timeout="200ms")
    between.rule = lambda seen: Fault(hang=True) if len(objects(between, shop)) > 10 else None
    told = shop.expect(1, "apply", shop.name, "--yes", "--no-wait")
    assert "did not answer within 0.2 s" in told.out + told.err
    assert "Traceback" not in told.err
    between.rule = lambda _: None
    write(shop, between, 30)
    shop.expect(0, "apply", shop.name, "--yes")
    shop.expect(0, "diff", shop.name, "--exit-code")


def test_of_two_runs_at_once_only_one_writes_at_a_time(
    shop: Platform, between: Proxy, control_plane: Sandbox, tmp_path: Path
) -> None:
    """The second one gives up and names the first, or waits for it; no write of the one is among those of the other."""
    between.rule = lambda seen: Fault(delay=0.2) if seen.writes and "/c-" in seen.path else None
    first = shop.start("apply", shop.name, "--yes", "--no-wait")
    while len(objects(between, shop)) < 5:
        assert first.poll() is None
    with proxy(control_plane) as other:
        shop.kubeconfig, kept = other.kubeconfig(tmp_path), shop.kubeconfig
        write(shop, between, 120, value="2")
        refused = shop.expect(1, "apply", shop.name, "--yes", "--lock-timeout", "0.1")
        assert "@" in refused.err
        assert objects(other, shop) == []
        shop.expect(0, "apply", shop.name, "--yes", "--no-wait")
        first.communicate(timeout=60)
        assert first.returncode == 0
        assert len(objects(between, shop)) == len(objects(other, shop)) == 120
        last = max(seen.begun for seen, _ in between.log if seen.writes and "/c-" in seen.path)
        assert min(seen.begun for seen, _ in other.log if seen.writes and "/c-" in seen.path) > last
        shop.kubeconfig = kept


def test_a_group_that_is_silent_is_unknown_and_not_absent(
    shop: Platform, between: Proxy, kubectl: Callable[..., str]
) -> None:
    """An APIService without a backend: what needs its group is refused, what does not goes on, its kinds stay known."""
    group = f"{shop.name}.example.com"
    service = {"name": "nobody", "namespace": shop.name}
    spec = {"group": group, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15, "service": service}
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {**spec, "insecureSkipTLSVerify": True},
    }
    shop.expect(0, "apply", shop.name, "--yes")
    kubectl("create", "-f", "-", stdin=json.dumps(api))
    parent = ("configmap", f"{shop.name}.web", "-n", "reconciler-system")
    key = "applyset.kubernetes.io/contains-group-kinds"
    try:
        write(shop, between, 100)
        until(lambda: group in kubectl("get", "--raw", "/apis", stdin=""), "the server counts the group as stale")
        shop.expect(0, "apply", shop.name, "--yes")
        kubectl("annotate", *parent, "--overwrite", f"{key}=ConfigMap,Thing.{group}")
        refused = shop.expect(1, "apply", shop.name, "--yes")
        assert f"the server does not know at present what {group}/v1 serves" in refused.err
        assert "the inventory of web" in refused.err
        assert f"Thing.{group}" in kubectl("get", *parent, "-o", "json")
    finally:
        kubectl("delete", "apiservice", f"v1.{group}")
    shop.expect(0, "apply", shop.name, "--yes")
