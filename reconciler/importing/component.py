"""The files of an imported component: one for each object, and the kustomization that lists them. All of them or none."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler import yaml
from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KUSTOMIZATION = "kustomization.yaml"
_UNFIT = re.compile(r"[^a-z0-9.-]+")


def files(objects: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return names and texts of the files, the kustomization among them.

    Objects keep their namespace, so that the directory can be read and built by itself.
    """
    objects = list(objects)
    plain = Counter(_name(body) for body in objects)
    found = {_name(body, group=plain[_name(body)] > 1): yaml.dump(body) for body in objects}
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(found)}
    return {KUSTOMIZATION: yaml.dump(listed), **found}


def write(directory: Path, texts: Mapping[str, str]) -> None:
    """Write the files into a new directory; raises UsageError where it exists with something in it, or cannot be made."""
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise UsageError(f"{directory} exists already: name a directory that does not, nothing is overwritten")
        place = Path(os.path.realpath(directory))  # where a link leads to, which stays one
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
        try:
            for name, text in texts.items():
                (part / name).write_text(text, encoding="utf-8")
            part.chmod(0o755)
            part.replace(place)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise UsageError(f"{directory} cannot be written: {error.strerror}") from error


def _name(body: Mapping[str, Any], *, group: bool = False) -> str:
    parts = [str(body["kind"]), body["apiVersion"].rpartition("/")[0] if group else "", str(body["metadata"]["name"])]
    return _UNFIT.sub("-", "-".join(filter(None, parts)).lower()) + ".yaml"
