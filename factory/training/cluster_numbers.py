"""The numbers of clusters: those of an earlier model for a new one's, where they hold the same rows."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def numbers_as_before(before: "NDArray[Any]", now: "NDArray[Any]") -> dict[int, int]:
    """Numbers for the clusters of a new model, such that as many rows as possible keep theirs.

    Clusters are assigned to each other one to one (the linear sum assignment of scipy, after H. W. Kuhn 1955).
    One that shares no row with its counterpart, or has none, gets a number that the earlier model does not have.

    Args:
        before: What the earlier model says of some rows.
        now: What the new one says of the same rows.

    Returns:
        Each number of the new model that occurs, and what it becomes.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    old, old_at = np.unique(before, return_inverse=True)
    new, new_at = np.unique(now, return_inverse=True)
    shared = np.zeros((len(new), len(old)), dtype=np.int64)
    np.add.at(shared, (new_at, old_at), 1)
    pairs = zip(*linear_sum_assignment(-shared), strict=True)
    found = {int(new[one]): int(old[other]) for one, other in pairs if shared[one, other]}
    free = int(old.max()) + 1
    for number in new.tolist():
        if number not in found:
            found[number] = free
            free += 1
    return found
