"""How much of anything is read before it is refused: far above what any platform needs, far below what hurts.

What is built may come from a pull request of anybody, so no input may take all memory, run out of the stack or never
end. Time has no limit here: whoever starts a build can end it.
"""

from __future__ import annotations

from typing import Final

FILE_BYTES: Final = 64 << 20  # of one file; etcd would not take an object of a fortieth of it
LINKS: Final = 40  # that lead on to another one, as the kernel allows
DEPTH: Final = 200  # of mappings and lists within each other, deep enough for any CRD; Python's stack takes 1000 calls
NODES: Final = (
    1_000_000  # of one document or object, which aliases ("billion laughs") and copies could double and double
)
TEXT: Final = 16 << 20  # characters of one value that steps put together
LAYERS: Final = 100  # directories that include each other in a row; people get lost behind ten
BUILD_READS: Final = (
    20_000  # of files in one build: layers that include two each would be read more often at each level
)
BUILD_BYTES: Final = 256 << 20  # that these hold together
BUILD_OBJECTS: Final = 50_000  # of one build: clusters of thousands of nodes have fewer of one owner
