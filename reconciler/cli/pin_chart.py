"""`reconciler pin-chart REPO NAME VERSION`."""

from __future__ import annotations

import click


@click.command
@click.argument("repo", help="The repository, as in helmCharts: https://… or oci://…")
@click.argument("name", help="The chart's name.")
@click.argument("version", help="The chart's version.")
def pin_chart(repo: str, name: str, version: str) -> None:
    """Print the entry of vendor.lock.yaml that pins a chart of a repository to what it holds now."""
    from reconciler import yaml
    from reconciler.cli.printing import print_data
    from reconciler.source import charts

    pin = charts.resolve(repo, name, version)
    entry = {"repo": pin.repo, "name": pin.name, "version": pin.version, "digest": pin.digest}
    print_data(yaml.dump({"charts": [entry]}))
