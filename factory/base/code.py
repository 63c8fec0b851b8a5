"""What of an allowed package a team file may name.

Allowing a package does not allow what it has imported from elsewhere (`sklearn.utils._testing.check_output` is
Python's own, and runs programs), nor its private parts. Of libraries with many uses only some functions
may be called; their classes may be named as estimators.
"""

import sys
from collections.abc import Iterable

LIBRARY_FUNCTIONS = {
    "sklearn": frozenset(
        f"sklearn.datasets.{name}"
        for name in (
            *("load_breast_cancer", "load_diabetes", "load_digits", "load_iris", "load_linnerud"),
            *("load_wine", "make_biclusters", "make_blobs", "make_checkerboard", "make_circles"),
            *("make_classification", "make_friedman1", "make_friedman2", "make_friedman3"),
            *("make_gaussian_quantiles", "make_hastie_10_2", "make_low_rank_matrix", "make_moons"),
            *("make_multilabel_classification", "make_regression", "make_s_curve"),
            *("make_sparse_coded_signal", "make_sparse_spd_matrix", "make_sparse_uncorrelated"),
            *("make_spd_matrix", "make_swiss_roll"),
        )
    )
}
"""Functions of libraries that may be called: they read no path and no address that they are given."""


OWN_PACKAGE = "factory"
"""Its functions change what all teams own."""


def how_to_allow(package: str) -> str:
    """What to do when code of a package is wanted that is not allowed."""
    if package in sys.stdlib_module_names:
        return "write a function in a package of your own, and name that"
    if package == OWN_PACKAGE:
        return (
            "the factory's own functions are not for team files: write one in a package of your own"
        )
    return f"add `{package}` to `python_packages` in _defaults.yaml if its code is trusted"


def is_within(dotted_path: str, packages: Iterable[str]) -> bool:
    """Whether the object lies in one of the packages, each named whole (`a.b` covers `a.b.c`)."""
    return any(dotted_path.startswith(f"{package}.") for package in packages)


def is_public(dotted_path: str) -> bool:
    """Whether no part of a path is private: starts with an underscore."""
    return not any(part.startswith("_") for part in dotted_path.split("."))


def is_callable_by_teams(dotted_path: str) -> bool:
    """Whether a team may call a function, its package being allowed."""
    functions = LIBRARY_FUNCTIONS.get(dotted_path.partition(".")[0])
    return functions is None or dotted_path in functions
