"""`python -m tests.nodes [NAME...]`: makes the images whose reference holds one of the names; prints archives.

Without names all of them, and the programs of the nodes and of their control plane before.
"""

from __future__ import annotations

import resource
import sys

from reconciler.sandbox import places, programs, versions
from tests.nodes.image import archive
from tests.nodes.images import IMAGES


def main(names: list[str]) -> None:
    """Print, for each image, its archive, its size and the CPU seconds that making it took."""
    if not names:
        programs.find_all(versions.PROGRAMS, places.programs_dir(), None, tell=_tell)
        programs.find_all(versions.NODE_PROGRAMS, places.node_programs_dir(), None, tell=_tell)
    for image in IMAGES:
        if names and not any(name in image.reference for name in names):
            continue
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        path = archive(image, _tell)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{path}\t{path.stat().st_size / 1e6:.0f} MB\t{round(seconds)} s")  # noqa: T201


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
