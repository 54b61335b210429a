"""Monitoring on real nodes: Prometheus scrapes the platform, an alert reaches Alertmanager, InfluxDB keeps what is sent on."""

from __future__ import annotations

import base64
import functools
import json
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.nodes.lab import NODES, SLEEP

if TYPE_CHECKING:
    from tests.nodes.lab import Lab

pytestmark = pytest.mark.nodes

RULES = "base/monitoring/prometheus/platform.yml"
LATER = "      - alert: TargetDown\n        expr: up == 0\n        for: 10m\n"
SOONER = LATER.replace("10m", "5s")
QUERY = """\
from(bucket: "metrics") |> range(start: -15m) |> filter(fn: (r) => r._field == "up" or r._measurement == "up") |> limit(n: 1)
"""


def ask(url: str, body: bytes | None = None, **headers: str) -> Any:
    """Return the JSON that an address answers with."""
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=given)  # noqa: S310 - http, on this machine
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.load(answer)


def series(prometheus: str, expression: str) -> list[dict[str, str]]:
    """Return the labels of what an expression finds."""
    found = ask(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    return [item["metric"] for item in found["data"]["result"]]


def firing(alertmanager: str, name: str) -> list[dict[str, Any]]:
    """Return the alerts about a Pod that Alertmanager has."""
    alerts: list[dict[str, Any]] = ask(f"{alertmanager}/api/v2/alerts?active=true")
    return [one for one in alerts if one["labels"].get("pod") == name]


def test_prometheus_scrapes_the_platform(lab: Lab) -> None:
    """Every kind of target that the platform names is up: itself, the API server, kubelets, exporters, DNS, the registry."""
    with lab.forwarded("monitoring", "service/prometheus", 9090) as prometheus:
        lab.wait("kubelets are scraped", lambda: len(series(prometheus, 'up{job="kubelets"} == 1')) == len(NODES), 120)
        jobs = ("prometheus", "alertmanager", "kube-state-metrics", "kubernetes-apiservers")
        pods = ("coredns", "registry", "node-exporter")
        for labels in (
            *(f'job="{job}"' for job in jobs),
            *(f'pod=~"{name}-.+"' for name in pods),
        ):
            lab.wait(f"{labels} is up", functools.partial(series, prometheus, f"up{{{labels}}} == 1"), 120)
        assert {item["node"] for item in series(prometheus, "kube_node_info")} == set(NODES)


def test_an_alert_fires_into_alertmanager(lab: Lab) -> None:
    """The platform's own alert, told by a commit to wait less, about a Pod that promises metrics and has none."""
    lab.repository.replace(RULES, LATER, SOONER)
    lab.repository.commit("Tell of targets at once")
    lab.repository.apply()
    lab.run_pod("silent", "node-1", *SLEEP)
    try:
        lab.kubectl("annotate", "pod/silent", "prometheus.io/scrape=true", "prometheus.io/port=9")
        with lab.forwarded("monitoring", "service/alertmanager", 9093) as alertmanager:
            (alert,) = lab.wait("the alert is there", lambda: firing(alertmanager, "silent"), 240)
        assert alert["labels"]["alertname"] == "TargetDown"
        assert alert["status"]["state"] == "active"
    finally:
        lab.kubectl("delete", "pod/silent", "--wait")
        lab.repository.replace(RULES, SOONER, LATER)
        lab.repository.commit("Tell of targets when they are long gone")
        lab.repository.apply()


def test_influxdb_keeps_what_prometheus_sends_on(lab: Lab) -> None:
    """By way of Telegraf, as the platform has it, with the token that was made in the cluster."""
    token = base64.b64decode(lab.get("secret", "influxdb", "-n", "monitoring")["data"]["token"]).decode()
    with lab.forwarded("monitoring", "service/influxdb", 8086) as influxdb:

        def kept() -> bool:
            request = urllib.request.Request(  # noqa: S310 - http, on this machine
                f"{influxdb}/api/v2/query?org=platform",
                data=QUERY.encode(),
                headers={"Authorization": f"Token {token}", "Content-Type": "application/vnd.flux"},
            )
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return b"kubelets" in answer.read()

        assert lab.wait("a series of Prometheus", kept, 180)
