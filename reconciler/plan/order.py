"""Ordering things that need each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

Node = TypeVar("Node", bound="Hashable")


def ordered(nodes: Iterable[Node], needs: Callable[[Node], Iterable[Node]]) -> tuple[list[Node], list[list[Node]]]:
    """Return nodes so that each comes after what it needs, else in the order given, and the circles that were met.

    A circle is told as the nodes along it, each needing the next and the last the first; the need that closes it is
    left out of the order. Runs in time linear in nodes and needs, without recursion.
    """
    done: dict[Node, bool] = {}  # False while a node's needs are under way
    result: list[Node] = []
    circles: list[list[Node]] = []
    for start in nodes:
        if start in done:
            continue
        done[start] = False
        path: list[tuple[Node, Iterator[Node]]] = [(start, iter(needs(start)))]
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                done[node] = True
                result.append(node)
                path.pop()
            elif following not in done:
                done[following] = False
                path.append((following, iter(needs(following))))
            elif not done[following]:
                names = [item for item, _ in path]
                circles.append(names[names.index(following) :])
    return result, circles
