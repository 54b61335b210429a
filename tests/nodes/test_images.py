"""The table of images beside the platform's own list of versions."""

from __future__ import annotations

from pathlib import Path

from reconciler import yaml
from reconciler.model.origin import Source
from tests.nodes.images import IMAGES

VERSIONS = "overlays/images/versions/kustomization.yaml"


def versions() -> dict[str, str]:
    """Return the tag of each image that the platform names."""
    content = (Path(__file__).parents[2] / VERSIONS).read_bytes()
    return {image["name"]: image["newTag"] for image in yaml.parse(content, Source(VERSIONS, ""))[0]["images"]}


def test_an_image_has_the_platforms_version_or_says_what_that_is() -> None:
    named = versions()
    for image in IMAGES:
        name, tag = image.reference.rsplit(":", 1)
        wanted = named.get(name, tag)
        assert wanted == tag or f"the platform names {wanted}" in image.note, image.reference
