"""Finds, builds, starts and stops a local Kubernetes control plane."""
