"""`reconciler pin-chart REPO NAME VERSION`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def pin_chart(
    repo: Annotated[str, typer.Argument(help="The repository, as in helmCharts: https://… or oci://…")],
    name: Annotated[str, typer.Argument(help="The chart's name.")],
    version: Annotated[str, typer.Argument(help="The chart's version.")],
) -> None:
    """Print the entry of vendor.lock.yaml that pins a chart of a repository to what it holds now."""
    from reconciler import yaml
    from reconciler.source import charts

    pin = charts.resolve(repo, name, version)
    entry = {"repo": pin.repo, "name": pin.name, "version": pin.version, "digest": pin.digest}
    sys.stdout.write(yaml.dump({"charts": [entry]}))
