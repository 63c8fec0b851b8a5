"""Datasets and models of all teams, and which is made of which."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from factory.catalog.linking import Catalog


@dataclass(frozen=True)
class Graph:
    """Who reads whom."""

    nodes: dict[str, Literal["dataset", "model"]]
    """By full name, in the order of their names."""
    edges: tuple[tuple[str, str], ...]
    """From what is read to what is made of it, or started by it."""

    @classmethod
    def of(cls, catalog: Catalog, teams: Collection[str] = ()) -> "Graph":
        """The graph of all teams, or of some with what they read and who reads them.

        Args:
            catalog: The teams.
            teams: Those that are meant; all, if none is named.
        """
        nodes = dict(sorted(_nodes(catalog)))
        edges = tuple(dict.fromkeys(sorted(_edges(catalog, nodes))))
        if teams:
            edges = tuple(edge for edge in edges if any(_team(name) in teams for name in edge))
            near = {name for edge in edges for name in edge}
            nodes = {
                name: kind for name, kind in nodes.items() if name in near or _team(name) in teams
            }
        return cls(nodes, edges)

    @property
    def roots(self) -> tuple[str, ...]:
        """What is made of nothing in the graph."""
        made = {made for _, made in self.edges}
        return tuple(name for name in self.nodes if name not in made)

    def below(self, name: str) -> tuple[str, ...]:
        """What is made of something directly."""
        return tuple(made for read, made in self.edges if read == name)

    def as_tree(self) -> str:
        """A tree below each root; what was shown before is named again and not repeated."""
        lines: list[str] = []
        shown: set[str] = set()
        for root in self.roots:
            lines += self._branch(root, "", "", shown)
        return "\n".join(lines)

    def _branch(self, name: str, first: str, rest: str, shown: set[str]) -> Iterator[str]:
        mark = " (model)" if self.nodes[name] == "model" else ""
        below = self.below(name)
        again = " …" if name in shown and below else ""
        yield f"{first}{name}{mark}{again}"
        if name in shown:
            return
        shown.add(name)
        for index, one in enumerate(below):
            is_last = index == len(below) - 1
            mine, theirs = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            yield from self._branch(one, rest + mine, rest + theirs, shown)

    def as_mermaid(self) -> str:
        """A flowchart, for Markdown that GitHub and others draw."""
        ids = {name: f"n{number}" for number, name in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for name, kind in self.nodes.items():
            shape = f'(["{name}"])' if kind == "model" else f'[("{name}")]'
            lines.append(f"    {ids[name]}{shape}")
        lines += [f"    {ids[read]} --> {ids[made]}" for read, made in self.edges]
        return "\n".join(lines)

    def as_dot(self) -> str:
        """The graph for Graphviz: `dot -Tsvg`."""
        lines = ["digraph factory {", "    rankdir=LR;"]
        for name, kind in self.nodes.items():
            shape = "ellipse" if kind == "model" else "cylinder"
            lines.append(f'    "{name}" [shape={shape}];')
        lines += [f'    "{read}" -> "{made}";' for read, made in self.edges]
        return "\n".join([*lines, "}"])


def _team(name: str) -> str:
    return name.partition(".")[0]


def _nodes(catalog: Catalog) -> Iterator[tuple[str, Literal["dataset", "model"]]]:
    for name in catalog.datasets:
        yield name, "dataset"
    for team in catalog.teams.values():
        for model in team.team.models:
            yield f"{team.name}.{model}", "model"


def _edges(catalog: Catalog, nodes: Collection[str]) -> Iterator[tuple[str, str]]:
    for reference in catalog.references:
        if not reference.watches and reference.dataset in nodes:
            yield reference.dataset, reference.full_name
    for team in catalog.teams.values():
        for name, model in team.team.models.items():
            if model.predict is not None:
                yield f"{team.name}.{name}", f"{team.name}.{model.predict.output_of(name)}"
