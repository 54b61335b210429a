"""What all tests share: the opt-in for a real control plane, repositories in git, the shared sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer --cluster: without it no test needs a cluster or a network."""
    parser.addoption("--cluster", action="store_true", help="run the tests that need the sandbox's real control plane")


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Skip tests marked `cluster` unless asked for."""
    if config.getoption("--cluster"):
        return
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.skip(reason="needs --cluster"))
