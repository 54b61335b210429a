"""What Prometheus, Alertmanager and the registry say of the configuration that the platform renders for them.

Each alert is fired once by series that mean trouble, beside series that do not, in promtool's own unit tests.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from reconciler import environment as environments
from reconciler import pipeline, yaml
from reconciler.pipeline import Checkout
from reconciler.source.directory import DirectoryTree

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
FILES = DirectoryTree(ROOT)
ENVIRONMENTS = environments.discover(FILES)


class Alert(NamedTuple):
    """One alert: series that fire it beside one that does not, the labels and the words that it then has."""

    name: str
    series: Mapping[str, str]
    labels: Mapping[str, str]
    summary: str
    minutes: int = 190


ALERTS = (
    Alert(
        "TargetDown",
        {'up{job="a", instance="x"}': "0", 'up{job="a", instance="y"}': "1"},
        {"job": "a", "instance": "x"},
        "a at x cannot be scraped",
    ),
    Alert(
        "WorkloadNotReady",
        {
            'kube_deployment_spec_replicas{namespace="a", deployment="d"}': "2",
            'kube_deployment_status_replicas_available{namespace="a", deployment="d"}': "1",
            'kube_statefulset_replicas{namespace="b", statefulset="s"}': "3",
            'kube_statefulset_status_replicas_ready{namespace="b", statefulset="s"}': "3",
        },
        {"namespace": "a", "deployment": "d"},
        "a: fewer replicas are ready than wanted",
    ),
    Alert(
        "ContainerRestarts",
        {
            'kube_pod_container_status_restarts_total{namespace="a", pod="p", container="c"}': "0+1",
            'kube_pod_container_status_restarts_total{namespace="a", pod="q", container="c"}': "7",
        },
        {"namespace": "a", "pod": "p", "container": "c"},
        "a/p: c restarts again and again",
    ),
    Alert(
        "VolumeFillsUp",
        {
            'kubelet_volume_stats_available_bytes{namespace="a", persistentvolumeclaim="v"}': "9",
            'kubelet_volume_stats_capacity_bytes{namespace="a", persistentvolumeclaim="v"}': "100",
            'kubelet_volume_stats_available_bytes{namespace="a", persistentvolumeclaim="w"}': "90",
            'kubelet_volume_stats_capacity_bytes{namespace="a", persistentvolumeclaim="w"}': "100",
        },
        {"namespace": "a", "persistentvolumeclaim": "v"},
        "a/v has less than a tenth left",
    ),
    Alert(
        "NodeDiskFillsUp",
        {
            'node_filesystem_avail_bytes{node="n", mountpoint="/", fstype="ext4"}': "5",
            'node_filesystem_size_bytes{node="n", mountpoint="/", fstype="ext4"}': "100",
            'node_filesystem_avail_bytes{node="n", mountpoint="/run", fstype="tmpfs"}': "0",
            'node_filesystem_size_bytes{node="n", mountpoint="/run", fstype="tmpfs"}': "100",
        },
        {"node": "n", "mountpoint": "/", "fstype": "ext4"},
        "n: / has less than a tenth left",
    ),
    Alert(
        "NodeNotReady",
        {
            'kube_node_status_condition{node="n", condition="Ready", status="true"}': "0",
            'kube_node_status_condition{node="m", condition="Ready", status="true"}': "1",
        },
        {"node": "n", "condition": "Ready", "status": "true"},
        "n is not ready",
    ),
    Alert(
        "LogsDoNotArrive",
        {'fluentd_output_status_retry_count{pod="p"}': "0+1", 'fluentd_output_status_retry_count{pod="q"}': "4"},
        {"pod": "p"},
        "p cannot deliver its logs",
    ),
    Alert(
        "RegistryDown",
        {'up{namespace="registry", job="a", instance="x"}': "0"},
        {},
        "nothing in namespace registry answers: nodes cannot pull images of the platform",
    ),
    Alert(
        "RegistryErrors",
        {
            'registry_http_requests_total{pod="p", code="500"}': "0+60",
            'registry_http_requests_total{pod="q", code="200"}': "0+60",
        },
        {"pod": "p"},
        "p answers requests for images with errors",
    ),
    Alert("HarborUnhealthy", {"harbor_health": "0"}, {}, "Harbor says that it is not well"),
    Alert(
        "HarborReplicationFails",
        {'harbor_task_queue_size{type="REPLICATION"}': "0+10"},
        {"type": "REPLICATION"},
        "images wait to be copied to other clusters, and more and more of them",
    ),
    Alert(
        "HarborQuotaNearlyUsed",
        {
            'harbor_project_quota_usage_byte{project_name="a"}': "95",
            'harbor_project_quota_byte{project_name="a"}': "100",
            'harbor_project_quota_usage_byte{project_name="b"}': "95",
            'harbor_project_quota_byte{project_name="b"}': "-1",
        },
        {"project_name": "a"},
        "project a has used nine tenths of its quota",
    ),
    Alert(
        "PrometheusConfigurationRefused",
        {'prometheus_config_last_reload_successful{instance="x"}': "0"},
        {"instance": "x"},
        "x does not accept its configuration",
    ),
    Alert(
        "PrometheusRuleFails",
        {'prometheus_rule_evaluation_failures_total{instance="x", rule_group="g"}': "0+1"},
        {"instance": "x", "rule_group": "g"},
        "x cannot evaluate rules of g",
    ),
    Alert(
        "PrometheusRemoteWriteBehind",
        {
            'prometheus_remote_storage_highest_timestamp_in_seconds{instance="x"}': "1000",
            'prometheus_remote_storage_queue_highest_sent_timestamp_seconds{instance="x", remote_name="r", url="u"}': "500",
        },
        {"instance": "x", "remote_name": "r", "url": "u"},
        "x is minutes behind with what it hands on",
    ),
    Alert(
        "AlertmanagerConfigurationRefused",
        {'alertmanager_config_last_reload_successful{instance="x"}': "0"},
        {"instance": "x"},
        "x does not accept its configuration",
    ),
    Alert(
        "AlertsAreNotDelivered",
        {'alertmanager_notifications_failed_total{instance="x", integration="mail"}': "0+1"},
        {"instance": "x", "integration": "mail"},
        "x cannot deliver alerts by mail",
    ),
    Alert(
        "AlertmanagersDoNotSeeEachOther",
        {
            'alertmanager_cluster_members{instance="x", job="alertmanager"}': "1",
            'up{job="alertmanager", instance="x"}': "1",
            'up{job="alertmanager", instance="y"}': "1",
        },
        {"instance": "x", "job": "alertmanager"},
        "x misses a member: alerts come twice",
    ),
    Alert(
        "GrafanaErrors",
        {'grafana_http_request_duration_seconds_count{instance="x", status_code="502"}': "0+60"},
        {"instance": "x"},
        "x answers with errors",
    ),
    Alert(
        "InfluxWritesFail",
        {'http_api_requests_total{namespace="monitoring", path="/api/v2/write", response_code="503"}': "0+1"},
        {"namespace": "monitoring", "path": "/api/v2/write", "response_code": "503"},
        "InfluxDB refuses points",
    ),
    Alert(
        "LogBufferGrows",
        {'fluentd_output_status_buffer_total_bytes{pod="p"}': "900000000"},
        {"pod": "p"},
        "p holds nearly as many logs as it may: it stops reading when it is full",
    ),
    Alert(
        "ReconcilerFails",
        {'reconciler_environment_ready{environment="e"}': "0", 'reconciler_environment_ready{environment="f"}': "1"},
        {"environment": "e"},
        "environment e is not what git says",
    ),
    Alert("CephNotHealthy", {"ceph_health_status": "1"}, {}, "Ceph warns of itself"),
    Alert("CephInDanger", {"ceph_health_status": "2"}, {}, "Ceph is in error: data may not be reachable"),
    Alert(
        "CephFillsUp",
        {"ceph_cluster_total_used_raw_bytes": "85", "ceph_cluster_total_bytes": "100"},
        {},
        "Ceph has a fifth left: it stops writing at five percent",
    ),
    Alert(
        "CephDiskDown",
        {'ceph_osd_up{ceph_daemon="osd.1"}': "0", 'ceph_osd_up{ceph_daemon="osd.2"}': "1"},
        {"ceph_daemon": "osd.1"},
        "osd.1 is down",
    ),
    Alert(
        "ClaimPending",
        {'kube_persistentvolumeclaim_status_phase{namespace="a", persistentvolumeclaim="v", phase="Pending"}': "1"},
        {"namespace": "a", "persistentvolumeclaim": "v", "phase": "Pending"},
        "a/v gets no volume",
    ),
    Alert(
        "VolumeInodesRunOut",
        {
            'kubelet_volume_stats_inodes_free{namespace="a", persistentvolumeclaim="v"}': "1",
            'kubelet_volume_stats_inodes{namespace="a", persistentvolumeclaim="v"}': "100",
        },
        {"namespace": "a", "persistentvolumeclaim": "v"},
        "a/v has few inodes left",
    ),
    Alert(
        "VolumeCannotBeAttached",
        {
            'storage_operation_duration_seconds_count{node="n", operation_name="volume_attach", '
            'volume_plugin="csi", status="fail-unknown"}': "0+1"
        },
        {"node": "n", "operation_name": "volume_attach", "volume_plugin": "csi", "status": "fail-unknown"},
        "n: volume_attach of csi fails",
    ),
    Alert(
        "CalicoFailsToProgram",
        {'felix_int_dataplane_failures{pod="p"}': "0+1"},
        {"pod": "p"},
        "p cannot write rules or routes",
    ),
    Alert(
        "FlannelDown",
        {'kube_daemonset_status_number_unavailable{namespace="kube-flannel", daemonset="flannel"}': "2"},
        {"namespace": "kube-flannel", "daemonset": "flannel"},
        "flannel is not ready on 2 nodes: their Pods have no network",
    ),
    Alert(
        "NetworkDaemonDown",
        {'kube_daemonset_status_number_unavailable{namespace="calico-system", daemonset="calico-node"}': "1"},
        {"namespace": "calico-system", "daemonset": "calico-node"},
        "calico-node is not ready on 1 nodes",
    ),
    Alert(
        "AddressesRunOut",
        {
            'awscni_assigned_ip_addresses{node="n"}': "99",
            'awscni_total_ip_addresses{node="n"}': "100",
            'awscni_eni_allocated{node="n"}': "4",
            'awscni_eni_max{node="n"}': "4",
        },
        {"node": "n"},
        "n has hardly an address left for Pods",
    ),
    Alert(
        "NetworkPoliciesNotEnforced",
        {'kube_daemonset_status_number_unavailable{namespace="x", daemonset="network-policies"}': "1"},
        {"namespace": "x", "daemonset": "network-policies"},
        "policies are not enforced on 1 nodes",
    ),
    Alert(
        "FalcoDown",
        {'kube_daemonset_status_number_unavailable{namespace="falco", daemonset="falco"}': "1"},
        {"namespace": "falco", "daemonset": "falco"},
        "Falco does not watch 1 nodes",
    ),
    Alert(
        "FalcoDropsEvents",
        {'falcosecurity_scap_n_drops_total{pod="p"}': "0+600"},
        {"pod": "p"},
        "p sees more than it can look at",
    ),
    Alert(
        "CriticalVulnerabilities",
        {
            'trivy_image_vulnerabilities{namespace="a", severity="Critical", image_repository="x"}': "2",
            'trivy_image_vulnerabilities{namespace="b", severity="High", image_repository="x"}': "2",
        },
        {"namespace": "a"},
        "images in a have 2 critical vulnerabilities",
    ),
    Alert(
        "ImageRefused",
        {
            'apiserver_validating_admission_policy_check_total{policy="platform-image-provenance", '
            'enforcement_action="deny"}': "0+1"
        },
        {"policy": "platform-image-provenance"},
        "platform-image-provenance has refused objects",
    ),
    Alert(
        "CertificateEndsSoon",
        {'apiserver_client_certificate_expiration_seconds_bucket{le="86400"}': "1"},
        {},
        "a client talks to the API server with a certificate that ends within a day",
    ),
    Alert(
        "NodeRuntimeDiffers",
        {
            'kube_node_info{node="n", container_runtime_version="containerd://2.3.4"}': "1",
            'kube_node_info{node="m", container_runtime_version="containerd://2.2.7"}': "1",
        },
        {},
        "nodes have run 2 versions of the container runtime for a day",
        1500,
    ),
    Alert(
        "KubeletVersionsDiffer",
        {
            'kube_node_info{node="n", kubelet_version="v1.36.2"}': "1",
            'kube_node_info{node="m", kubelet_version="v1.35.2"}': "1",
        },
        {},
        "nodes have run 2 versions of the kubelet for a day",
        1500,
    ),
)


def configurations(environment: str) -> dict[str, dict[str, str]]:
    """Return the files of every ConfigMap of an environment, by its name without the hash."""
    loaded = environments.load(FILES, f"environments/{environment}/environment.yaml")
    found: dict[str, dict[str, str]] = {}
    for _, item in pipeline.render(Checkout(FILES, loaded, None)).resources:
        if item.id.kind == "ConfigMap":
            stem, _, suffix = item.id.name.rpartition("-")
            found[stem if len(suffix) == 10 else item.id.name] = dict(item.body.get("data") or {})
    return found


def ends_well(*command: object, folder: Path) -> str:
    """Run a program that has to end with 0; return what it says."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def rules() -> dict[str, str]:
    """Return the files of rules."""
    return configurations("dev")["prometheus-rules"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_prometheus_and_alertmanager_accept_their_configuration(
    environment: str, prometheus: Path, alertmanager: Path, tmp_path: Path
) -> None:
    found = configurations(environment)
    for name in ("prometheus-config", "prometheus-rules", "alertmanager-config"):
        for file, text in found[name].items():
            place = tmp_path / name.replace("prometheus-", "")
            place.mkdir(exist_ok=True)
            (place / file).write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"))
    said = ends_well(
        prometheus / "promtool",
        "check",
        "config",
        "--syntax-only",
        tmp_path / "config" / "prometheus.yml",
        folder=tmp_path,
    )
    assert "SUCCESS" in said
    said = ends_well(
        prometheus / "promtool", "check", "rules", *sorted((tmp_path / "rules").iterdir()), folder=tmp_path
    )
    assert "SUCCESS" in said
    ends_well(
        alertmanager / "amtool", "check-config", tmp_path / "alertmanager-config" / "alertmanager.yml", folder=tmp_path
    )


def test_every_alert_is_tried() -> None:
    defined = [
        (rule["alert"], rule["labels"]["severity"])
        for text in rules().values()
        for group in _parsed(text)["groups"]
        for rule in group["rules"]
    ]
    assert sorted(alert.name for alert in ALERTS) == sorted(name for name, _ in defined)


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_an_alert_fires_for_what_it_is_for(alert: Alert, prometheus: Path, tmp_path: Path) -> None:
    severity = ""
    for file, text in rules().items():
        (tmp_path / file).write_text(text)
        for group in _parsed(text)["groups"]:
            severity = next(
                (rule["labels"]["severity"] for rule in group["rules"] if rule["alert"] == alert.name), severity
            )
    expected = {
        "exp_labels": {**alert.labels, "severity": severity},
        "exp_annotations": {"summary": alert.summary},
    }
    test = {
        "rule_files": sorted(rules()),
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series, "values": f"{value}x{alert.minutes + 10}"}
                    for series, value in alert.series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": f"{alert.minutes}m", "alertname": alert.name, "exp_alerts": [expected]},
                    {"eval_time": "0m", "alertname": alert.name, "exp_alerts": []},
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(json.dumps(test))
    ends_well(prometheus / "promtool", "test", "rules", "test.yml", folder=tmp_path)


def _parsed(text: str) -> Any:
    from reconciler.model.origin import Source

    return yaml.parse(text.encode(), Source("rules.yml", ""))[0]
