"""A slow etcd, and one that stalls for longer than a Lease lasts: a run goes on, or stops writing and is continued."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_restarts import MAPS, many, own_sandbox, started

if TYPE_CHECKING:
    from reconciler.sandbox.control import Sandbox
    from tests.e2e.conftest import Platform

__all__ = ["many", "own_sandbox"]
pytestmark = pytest.mark.cluster

PULSES = 12


def etcd(sandbox: Sandbox) -> int:
    """Return the process of a sandbox's etcd."""
    return next(item.pid for item in sandbox.processes if item.name == "etcd" and item.pid is not None)


def count(sandbox: Sandbox) -> int:
    selector = ("-l", "reconciler.dev/environment=many")
    return len(sandbox.run_kubectl("get", "configmaps", "-n", "many", *selector, "-o", "name").split())


def test_a_run_on_a_slow_store_ends_well(many: Platform, own_sandbox: Sandbox) -> None:
    """Etcd is stopped for most of the time; every object is written once."""
    process = many.start("apply", "many", "--yes", "-o", "json")
    pause = threading.Event()
    for _ in range(PULSES):
        os.kill(etcd(own_sandbox), signal.SIGSTOP)
        pause.wait(0.8)
        os.kill(etcd(own_sandbox), signal.SIGCONT)
        pause.wait(0.2)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert count(own_sandbox) == MAPS
    generations = own_sandbox.run_kubectl(
        "get",
        "configmaps",
        "-n",
        "many",
        "-l",
        "reconciler.dev/environment=many",
        "-o",
        "jsonpath={.items[*].metadata.managedFields}",
    )
    assert generations.count('"manager":"reconciler"') == MAPS
    many.expect(0, "diff", "many", "--exit-code")


def test_a_run_that_cannot_renew_its_lease_stops_writing(many: Platform, own_sandbox: Sandbox) -> None:
    """After 15 s another writer may have taken over, so that nothing may be written any more, whoever it is."""
    process = many.start("apply", "many", "--yes")
    while not started(own_sandbox):
        assert process.poll() is None
    os.kill(etcd(own_sandbox), signal.SIGSTOP)
    threading.Event().wait(18)
    os.kill(etcd(own_sandbox), signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert "the Lease was lost" in out
    assert count(own_sandbox) < MAPS
    many.expect(0, "apply", "many", "--yes")
    assert count(own_sandbox) == MAPS
    many.expect(0, "diff", "many", "--exit-code")
