"""Charts rendered by the real `helm`; what it printed is kept by the content of what it was given."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from reconciler.errors import ChartError
from reconciler.helm import program, run
from reconciler.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.helm.program import Program
    from reconciler.helm.run import Limits
    from reconciler.model.charts import Pin, Template


class Helm:
    """The adapter of `model.charts.Charts`. The program is looked for when it is first needed."""

    def __init__(
        self,
        cache: Path,
        *,
        command: str | None = None,
        limits: Limits = run.LIMITS,
        fetch: Callable[[Pin], bytes] | None = None,
    ) -> None:
        """Use a program (None: that of `RECONCILER_HELM`, else `helm` on PATH), and `fetch` for archives not kept yet."""
        self._cache = cache
        self._store = Store(cache / "helm")
        self._command = command
        self._limits = limits
        self._fetch = fetch
        self._program: Program | None = None

    def template(self, request: Template) -> str:
        """Return what Helm prints, of now or of an earlier time with the same content; raises ChartError."""
        if self._program is None:
            self._program = program.find(self._command)
        key = _key(request, self._program)
        kept = self._store.get(key)
        if kept is not None:
            return kept.decode()
        output = run.template(self._program, request, self._limits)
        self._store.put(key, output.encode())
        return output

    def archive(self, pin: Pin) -> bytes:
        """Return the archive that a pin names: kept, or fetched now; raises ChartError where it is not the same."""
        path = pin.archive(self._cache)
        try:
            content = path.read_bytes()
        except OSError:
            content = None
        if content is None or f"sha256:{hashlib.sha256(content).hexdigest()}" != pin.digest:
            if self._fetch is None:
                raise ChartError(
                    "it is not in the cache, and nothing is fetched here: `reconciler validate` fetches it"
                )
            return self._fetch(pin)
        return content


def _key(request: Template, helm: Program) -> str:
    """Return a digest of all that the output depends on; each part with its length, so that none runs into another."""
    digest = hashlib.sha256()
    flags = (
        *(request.release, request.name_template, request.namespace, request.kube_version),
        *(str(request.include_crds), str(request.skip_tests), str(request.skip_hooks), str(request.attempt)),
        *(helm.version, *request.api_versions),
    )
    groups: tuple[list[bytes], ...] = (
        [flag.encode() for flag in flags],
        list(request.values),
        [part for path, content in request.files for part in (path.encode(), content)],
    )
    for group in groups:
        digest.update(b"%d\n" % len(group))
        for part in group:
            digest.update(b"%d\n" % len(part) + part)
    return digest.hexdigest()
