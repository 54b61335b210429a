"""What the agent measures, in Prometheus' format."""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The metrics of one agent, in a registry of their own."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._registry = registry = CollectorRegistry()
        environment = ("environment",)
        self.runs = Counter("reconciler_runs", "Runs by result", (*environment, "result"), registry=registry)
        self.seconds = Histogram(
            "reconciler_run_seconds", "How long runs took", environment, registry=registry, buckets=SECONDS
        )
        self.succeeded = Gauge(
            "reconciler_last_run_succeeded", "1 where the last run ended well", environment, registry=registry
        )
        self.last_success = Gauge(
            "reconciler_last_success_timestamp_seconds", "When a run last ended well", environment, registry=registry
        )
        self.drifted = Gauge(
            "reconciler_drifted_objects",
            "Objects that differed from a revision that had been applied, at the last run",
            environment,
            registry=registry,
        )
        self.requests = Counter(
            "reconciler_api_requests", "Requests to API servers", (*environment, "verb"), registry=registry
        )
        self.lease_held = Gauge(
            "reconciler_lease_held", "1 where this replica reconciles the environment", environment, registry=registry
        )
        self.readable = Gauge(
            "reconciler_environment_readable",
            "1 where the newest commit has the environment and its environment.yaml can be read",
            environment,
            registry=registry,
        )
        self.fetches = Counter("reconciler_git_fetches", "Fetches by result", ("result",), registry=registry)
        self.fetched = Gauge(
            "reconciler_git_last_success_timestamp_seconds", "When git last answered", registry=registry
        )
        self.webhooks = Counter("reconciler_webhooks", "Deliveries by what they were", ("result",), registry=registry)

    def count_requests(self, environment: str, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Add the requests that a connection has sent between two looks at its count."""
        for verb, count in (Counts(after) - Counts(before)).items():
            self.requests.labels(environment, verb).inc(count)

    def read(self, readable: Mapping[str, bool]) -> None:
        """Tell which environments the newest commit has in a state that can be read."""
        for name, can in readable.items():
            self.readable.labels(name).set(can)

    def forget(self, environment: str) -> None:
        """Take an environment out of the gauges that tell of its last run: this replica does not reconcile it."""
        for gauge in (self.succeeded, self.drifted, self.last_success):
            gauge.remove_by_labels({"environment": environment})

    def remove(self, environment: str) -> None:
        """Take an environment out of all gauges: it is no longer there."""
        self.forget(environment)
        for gauge in (self.lease_held, self.readable):
            gauge.remove_by_labels({"environment": environment})

    def text(self) -> bytes:
        """Return all of it as Prometheus scrapes it."""
        return generate_latest(self._registry)
