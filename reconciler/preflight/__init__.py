"""What a cluster and its nodes really are against what git says, and what stands in the way of an upgrade.

Nodes and control planes are made by others (kubeadm, EKS, GKE); git holds what they are to be, as objects of
`platform.reconciler.dev`. Here they are compared, and the checks are made that come before an upgrade.
"""

from reconciler.preflight.judge import asks_kubelets, described, drift, judge
from reconciler.preflight.read import glance, read

__all__ = ["asks_kubelets", "described", "drift", "glance", "judge", "read"]
