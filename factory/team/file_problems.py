"""What is wrong with a file, without what only follows from something else that is wrong."""

from collections.abc import Iterator, Sequence

from factory.team.after_tasks import is_below_after
from factory.team.layers import SECRET
from factory.team.overlays import OVERLAYS, check_overlays
from factory.team.problems import Problem
from factory.team.yaml_tree import YamlTree, problem_at_node

_BREAKS_KEYS = ("F014", "F015")
"""Codes of what makes a key of something that is none."""
_FOLLOWING = ("F021", "F023")
"""Codes of what is then missing on the same line."""
_FOR_EACH, _EMPTY = "F017", "F033"
"""Codes of entries that cannot be made, and of a team that has none."""


def all_problems(trees: Sequence[YamlTree], problems: list[Problem]) -> list[Problem]:
    """Those of trees and those of their meaning.

    What is already wrong as YAML is no news as a wrong type at the same place, and a secret that a kind of
    the file knows is none as a secret of any file.
    """
    wrong = [problem for tree in trees for problem in (*tree.problems, *_reserved_keys(tree))]
    # Those of the first are told with what it means.
    for tree in trees[1:]:
        wrong += [tree.problem(one.name, one.path, one.message) for one in check_overlays(tree)]
    places = {problem.place for problem in wrong}
    broken_lines = {problem.line for problem in wrong if problem.code in _BREAKS_KEYS}
    makes_nothing = any(problem.code == _FOR_EACH for problem in wrong)
    secrets: set[str] = set()
    for problem in problems:
        is_known = (
            problem.place in (secrets if problem.code == SECRET else places)
            or (problem.code in _FOLLOWING and problem.line in broken_lines)
            or (problem.code == _EMPTY and makes_nothing)
        )
        if not is_known:
            wrong.append(problem)
        if problem.code == SECRET:
            secrets.add(problem.place)
    return wrong


def _reserved_keys(tree: YamlTree) -> Iterator[Problem]:
    if not tree.reserved_keys:
        return
    reserved = {id(key) for key in tree.reserved_keys}
    for path, key in tree.every_key():
        below = path[2:] if path[0] == OVERLAYS else path
        is_dag_factorys = below[:1] == ("dags",) or is_below_after(below)
        if id(key) in reserved and not is_dag_factorys:
            message = f"the key `{key.value}` starts with two underscores, which is reserved"
            yield problem_at_node(tree.source, "reserved_key", key, message, "rename it")
