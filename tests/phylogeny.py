"""Random trees that know their own tip sets: the oracle of the phylogenetic measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Newick text, and every branch as (tips below it, length)."""

    newick: str
    branches: tuple[tuple[frozenset[str], float], ...]

    def faith(self, present: set[str]) -> float:
        return sum(length for tips, length in self.branches if tips & present)

    def unweighted_unifrac(self, one: set[str], two: set[str]) -> float:
        observed = sum(length for tips, length in self.branches if tips & (one | two))
        unshared = sum(length for tips, length in self.branches if bool(tips & one) != bool(tips & two))
        return unshared / observed if observed else 0.0

    def weighted_unifrac(self, one: dict[str, float], two: dict[str, float]) -> float:
        first, second = sum(one.values()), sum(two.values())
        return sum(
            length * abs(sum(one[tip] for tip in tips) / first - sum(two[tip] for tip in tips) / second)
            for tips, length in self.branches
        )

    def depth(self, tip: str) -> float:
        return sum(length for tips, length in self.branches if tip in tips)


def random_tree(rng: np.random.Generator, names: list[str], forks: int = 3) -> Tree:
    """Join names at random, two to `forks` at a time, until two are left below the root."""
    nodes: list[tuple[str, frozenset[str]]] = [(name, frozenset([name])) for name in names]
    branches: list[tuple[frozenset[str], float]] = []
    while len(nodes) > 1:
        size = 2 if len(nodes) <= 3 else int(rng.integers(2, min(forks, len(nodes) - 1) + 1))
        chosen = [nodes.pop(int(rng.integers(len(nodes)))) for _ in range(size)]
        lengths = [round(float(length), 3) for length in rng.uniform(0, 2, size)]
        branches += [(tips, length) for (_, tips), length in zip(chosen, lengths, strict=True)]
        text = ",".join(f"{text}:{length}" for (text, _), length in zip(chosen, lengths, strict=True))
        nodes.append((f"({text})", frozenset().union(*(tips for _, tips in chosen))))
    return Tree(nodes[0][0] + ";", tuple(branches))
