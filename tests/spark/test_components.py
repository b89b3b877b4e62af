"""Connected components: in one task and in steps, against a plain search."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark.components import FEW_EDGES, components, smallest

Edges = list[tuple[int, int]]


def searched(edges: Edges) -> dict[int, int]:
    """Each vertex that is not its component's smallest, and that one, by a search from the smallest up."""
    around = defaultdict(set)
    for one, other in edges:
        around[one].add(other)
        around[other].add(one)
    found: dict[int, int] = {}
    for start in sorted(around):
        if start in found:
            continue
        found[start], open_ends = start, [start]
        while open_ends:
            new = around[open_ends.pop()] - found.keys()
            found |= dict.fromkeys(new, start)
            open_ends += new
    return {vertex: least for vertex, least in found.items() if vertex != least}


def graph() -> Edges:
    """A long chain in no order, a star with the greatest in its middle, loose pairs, loops and repeats."""
    generator = random.Random(5)
    chain = [*range(1000, 1200)]
    generator.shuffle(chain)
    pairs = [(generator.randrange(300), generator.randrange(300)) for _ in range(120)]
    star = [(5000, leaf) for leaf in range(4000, 4040)]
    negative = [(-(2**62), 2**62), (-7, 2**62)]
    edges = [*itertools.pairwise(chain), *pairs, *pairs[:20], *star, (9000, 9000), *negative]
    generator.shuffle(edges)
    return edges


@pytest.mark.parametrize("few", [FEW_EDGES, 0], ids=["one task", "steps"])
def test_components_are_those_of_a_search(spark: SparkSession, few: int) -> None:
    rows = spark.createDataFrame(graph(), "document long, other long").repartition(3)

    found = components(rows, few).collect()

    assert {row["document"]: row["component"] for row in found} == searched(graph())
    assert len({row["document"] for row in found}) == len(found)


@pytest.mark.parametrize("few", [FEW_EDGES, 0], ids=["one task", "steps"])
def test_a_graph_without_edges_has_no_components(spark: SparkSession, few: int) -> None:
    nothing = spark.createDataFrame([(4, 4)], "document long, other long")

    assert components(nothing, few).collect() == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1))
def test_arrays_are_joined_as_a_search_joins_them(edges: Edges) -> None:
    ends = np.array(edges, dtype=np.int64)

    vertices, least = smallest(ends[:, 0], ends[:, 1])

    assert dict(zip(vertices.tolist(), least.tolist(), strict=True)) == searched(edges)
