"""Declared objects of a Harbor for tests: an environment with a hub's objects, and its parts to change."""

from __future__ import annotations

from typing import Final

ENVIRONMENT: Final = """\
    apiVersion: reconciler.dev/v1alpha1
    kind: Environment
    metadata: {name: %N}
    spec:
      cluster: {context: %C, kubeconfig: "%K"}
      components: [{name: harbor, path: harbor}]
      policy: {adopt: [%A], deletions: {max: %D, shrink: 100}}
    """
SERVER: Final = """\
    apiVersion: v1
    kind: Namespace
    metadata: {name: %N}
    ---
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborServer
    metadata: {name: harbor, namespace: %N}
    spec:
      url: %U
      credentials: {secret: harbor-admin}
      timeoutSeconds: 5
    """
REGISTRY: Final = """\
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborRegistry
    metadata: {name: edge, namespace: %N}
    spec:
      type: harbor
      url: %E
      insecure: true
      credentials: {secret: edge}
    ---
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborRegistry
    metadata: {name: docker-hub, namespace: %N}
    spec: {type: docker-hub, url: "https://hub.docker.com"}
    """
PROJECTS: Final = """\
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborProject
    metadata: {name: team, namespace: %N}
    spec:
      public: false
      storageQuota: 100Gi
      preventVulnerable: true
      severity: high
      autoScan: true
    ---
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborProject
    metadata: {name: hub-cache, namespace: %N}
    spec:
      public: true
      proxyCache: {registry: docker-hub}
    """
POLICY: Final = """\
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborReplicationPolicy
    metadata: {name: team-to-edge, namespace: %N}
    spec:
      description: images of the team
      mode: push
      registry: edge
      trigger: {type: event_based}
      filters:
        - {type: name, value: team/**}
        - {type: tag, value: dev-*, decoration: excludes}
      destination: {namespace: mirror, replaceCount: 1}
      override: true
      speedKb: 2048
      singleActiveReplication: true
    """
ROBOTS: Final = """\
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborRobotAccount
    metadata: {name: builder, namespace: %N}
    spec:
      level: project
      project: team
      durationDays: -1
      permissions:
        - kind: project
          namespace: team
          access: [{resource: repository, action: push}, {resource: repository, action: pull}]
    ---
    apiVersion: harbor.reconciler.dev/v1alpha1
    kind: HarborRobotAccount
    metadata: {name: replication, namespace: %N}
    spec:
      level: system
      secret: {name: robot-replication}
      permissions:
        - kind: project
          namespace: "*"
          access: [{resource: repository, action: pull}]
        - kind: system
          namespace: /
          access: [{resource: registry, action: list}]
    """
ALL: Final = {
    "server.yaml": SERVER,
    "registries.yaml": REGISTRY,
    "projects.yaml": PROJECTS,
    "policies.yaml": POLICY,
    "robots.yaml": ROBOTS,
}
