"""The nodes that all tests of this folder share; each leaves them as it found them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nodes.lab import Lab


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return two real nodes with the platform's network, storage, registry and monitoring on them."""
    if not request.config.getoption("--nodes"):
        pytest.skip("needs --nodes")
    from reconciler.sandbox import places
    from reconciler.sandbox.nodes import host
    from tests.nodes import lab as labs

    why = host.lacks(places.state_dir(), places.programs_dir(), places.node_programs_dir())
    if why is not None:
        pytest.skip(f"real nodes cannot run here: {why}")
    with labs.running(f"nodes-{os.getpid()}", tmp_path_factory.mktemp("lab"), print) as made:
        made.repository.apply()
        yield made
