"""YAML as Kubernetes and Kustomize read and write it, with the line of every entry.

What enters is text; what leaves are `Map` and `Seq` trees whose entries know their origin, and text that every YAML
reader understands the same way. `block` reads the plain block style that nearly all files are written in; `reader` reads
everything else, scanned by libyaml. `writer` writes, and leaves to libyaml what is unusual.
"""

from reconciler.yaml.libyaml import dump_flow
from reconciler.yaml.reader import Dialect, parse, parse_strict
from reconciler.yaml.scalars import canonical, natural, resolve
from reconciler.yaml.writer import dump

__all__ = ["Dialect", "canonical", "dump", "dump_flow", "natural", "parse", "parse_strict", "resolve"]
