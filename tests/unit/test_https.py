"""aiohttp is loaded without the certificates of the system, and nothing of the process is changed by that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

MODULES = (
    "reconciler.https",
    "reconciler.cluster.kube",
    "reconciler.forge.wire",
    "reconciler.agent.agent",
    "reconciler.web.site",
)
LOADED = """\
import os, ssl
before = dict(os.environ)
import {module}
from reconciler.https import aiohttp, system_trust
from aiohttp import connector
assert dict(os.environ) == before
print(len(connector._SSL_CONTEXT_VERIFIED.get_ca_certs()), connector._SSL_CONTEXT_VERIFIED.verify_mode == ssl.CERT_REQUIRED)
print(system_trust().get_ca_certs() == ssl.create_default_context().get_ca_certs(), system_trust() is system_trust())
"""


@pytest.mark.parametrize("module", MODULES)
def test_the_certificates_of_the_system_are_read_by_who_asks_for_them(module: str) -> None:
    for given in ({}, {"SSL_CERT_FILE": "/nowhere"}):
        surroundings = {**os.environ, **given}
        done = subprocess.run(
            (sys.executable, "-c", LOADED.replace("{module}", module)),
            capture_output=True,
            text=True,
            check=True,
            env=surroundings,
        )
        assert done.stdout.split() == ["0", "True", "True", "True"]
