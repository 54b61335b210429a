"""The real `helm` behind the port of the render stage: found, checked, run with nothing around it, remembered."""

from reconciler.helm.adapter import Helm

__all__ = ["Helm"]
