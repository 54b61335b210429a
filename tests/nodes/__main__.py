"""`python -m tests.nodes [NAME...]`: makes the images whose reference holds one of the names, or all; prints archives."""

from __future__ import annotations

import resource
import sys

from tests.nodes.image import archive
from tests.nodes.images import IMAGES


def main(names: list[str]) -> None:
    """Print, for each image, its archive, its size and the CPU seconds that making it took."""
    for image in IMAGES:
        if names and not any(name in image.reference for name in names):
            continue
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        path = archive(image, lambda text: print(text, file=sys.stderr))  # noqa: T201
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{path}\t{path.stat().st_size / 1e6:.0f} MB\t{seconds:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
