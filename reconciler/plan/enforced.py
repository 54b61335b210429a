"""Which components of the built-in kinds' documents mean what they say with `required`.

Most documents derive `required` from how a field is written down, not from what is checked: an empty list is as good as none.
Of the components here it is known that the server refuses an object without each of these fields; what is not here is left to it.
`tests/unit/plan/test_enforced_cluster.py` tries every one of them on a real API server.
"""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = {
    "io.k8s.api.admissionregistration.v1": "MutatingWebhook ServiceReference ValidatingAdmissionPolicyBinding "
    "ValidatingAdmissionPolicyBindingSpec ValidatingWebhook Validation Variable",
    "io.k8s.api.apps.v1": "DaemonSet DaemonSetSpec Deployment DeploymentSpec StatefulSet StatefulSetSpec",
    "io.k8s.api.autoscaling.v2": "CrossVersionObjectReference HPAScalingPolicy HorizontalPodAutoscaler "
    "HorizontalPodAutoscalerSpec MetricIdentifier MetricSpec MetricTarget PodsMetricSource ResourceMetricSource",
    "io.k8s.api.batch.v1": "CronJob CronJobSpec JobSpec PodFailurePolicyOnPodConditionsPattern PodFailurePolicyRule",
    "io.k8s.api.core.v1": "CSIVolumeSource ConfigMapKeySelector Container ContainerPort DownwardAPIVolumeFile EnvVar "
    "GRPCAction HTTPGetAction HostAlias HostPathVolumeSource KeyToPath LimitRangeItem NFSVolumeSource NodeSelector "
    "NodeSelectorRequirement ObjectFieldSelector PersistentVolumeClaimTemplate PersistentVolumeClaimVolumeSource "
    "PodAffinityTerm PodSpec ResourceFieldSelector SeccompProfile SecretKeySelector ServiceAccountTokenProjection "
    "ServicePort TCPSocketAction TopologySpreadConstraint Volume VolumeMount WeightedPodAffinityTerm",
    "io.k8s.api.networking.v1": "HTTPIngressPath HTTPIngressRuleValue IPBlock IngressServiceBackend",
    "io.k8s.api.rbac.v1": "ClusterRoleBinding PolicyRule RoleBinding Subject",
    "io.k8s.api.storage.v1": "StorageClass",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1": "CustomResourceColumnDefinition CustomResourceDefinition "
    "CustomResourceDefinitionSpec CustomResourceSubresourceScale ValidationRule",
    "io.k8s.apimachinery.pkg.apis.meta.v1": "LabelSelectorRequirement",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1": "APIServiceSpec",
}
ENFORCED: Final = frozenset(f"{prefix}.{name}" for prefix, names in _PREFIXES.items() for name in names.split())
"""Components, by their full names, whose required fields the server asks for."""
