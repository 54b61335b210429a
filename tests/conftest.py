"""What all tests share: the opt-in for a real control plane, repositories in git, the shared sandbox."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from reconciler.sandbox.control import Sandbox
    from tests.forge.client import Forge


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer --cluster and --nodes: without them no test needs a cluster or a network."""
    parser.addoption("--cluster", action="store_true", help="run the tests that need the sandbox's real control plane")
    parser.addoption("--nodes", action="store_true", help="run the tests that need real nodes, and root (tests/nodes)")


def pytest_configure() -> None:
    """Make runs independent of how busy the machine is and of how they were started.

    Property tests have no deadline, and CI tries the same examples each time. Commands that tests start can be
    interrupted, even where this process was started to ignore Ctrl-C.
    """
    settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
    settings.load_profile("here")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Skip tests marked `cluster` or `nodes` unless asked for."""
    for marker in ("cluster", "nodes"):
        if not config.getoption(f"--{marker}"):
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=f"needs --{marker}"))


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """Keep a command that runs in this process from setting up the log of the tests after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Return the sandbox that all tests of a session share; each test keeps to namespaces of its own."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from reconciler.sandbox import control

    name = f"tests-{os.getpid()}"
    try:
        yield control.up(name)
    finally:
        control.down(name)


@pytest.fixture(scope="session")
def kubectl(control_plane: Sandbox) -> Callable[..., str]:
    """Return kubectl on the shared sandbox: `kubectl("get", "nodes")` gives what it prints; `stdin` is a keyword."""
    return control_plane.run_kubectl


@pytest.fixture(scope="session")
def forge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """Return the forge that all tests of a session share; each test has repositories of its own."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.forge import gitea

    with gitea.running(tmp_path_factory.mktemp("forge")) as shared:
        yield shared


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Path:
    """Return the real helm, built from its Go module at the first use."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.programs import HELM, built

    return built(HELM, print) / "helm"


@pytest.fixture(scope="session")
def sops(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the real sops and age-keygen, built from their Go module at the first use."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.programs import SOPS, built

    return built(SOPS, print)


@pytest.fixture(scope="session")
def prometheus(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the real prometheus and promtool, built from their Go module at the first use."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.programs import PROMETHEUS, built

    return built(PROMETHEUS, print)


@pytest.fixture(scope="session")
def alertmanager(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the real alertmanager and amtool, built from their Go module at the first use."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.programs import ALERTMANAGER, built

    return built(ALERTMANAGER, print)


@pytest.fixture(scope="session")
def registry(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the real registry (Distribution), built from its Go module at the first use."""
    if not request.config.getoption("--cluster"):
        pytest.skip("needs --cluster")
    from tests.programs import REGISTRY, built

    return built(REGISTRY, print)
