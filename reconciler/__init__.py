"""GitOps reconciliation for container platforms.

The pipeline is the folder listing: `source` reads git, `render` builds the layers, `observe` reads the cluster,
`plan` decides, `apply` writes, `report` tells. docs/architecture.md holds the picture.
"""

__version__ = "0.1.0"
