"""Trees of a model that was read from a file: whether walking them comes to an end, within their memory.

scikit-learn walks a tree by the indices that the file holds, without a look at them: a wrong one reads
memory that is not the tree's, which ends the process, and a circle never ends.
"""

from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree._tree import Tree

from factory.base.errors import TerminalError
from factory.trainers.scikit_learn.model_parts import parts


def check_trees(model: object) -> None:
    """Check every tree that a model holds, however deep.

    Raises:
        TerminalError: One is damaged, or was made by somebody who means harm.
    """
    for found in parts(model):
        wrong = None
        if isinstance(found, Tree):
            wrong = _wrong_tree(found)
        elif isinstance(found, TreePredictor):
            wrong = _wrong_predictor(found)
        elif isinstance(found, (KDTree, BallTree)):
            wrong = _wrong_neighbors(found)
        if wrong:
            raise TerminalError(
                f"a tree of the model is damaged: {wrong}. Train the model again, and find out who "
                "has changed its files"
            )


def _wrong_tree(tree: Any) -> str | None:
    # First of all: the arrays below have as many items as the count says.
    if not 1 <= tree.node_count <= tree.capacity:
        return f"it counts {tree.node_count} nodes and has {tree.capacity}"
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    if (right[~inner] != -1).any():
        return "a node has one child"
    if wrong := _wrong_children(left[inner], right[inner], np.flatnonzero(inner), tree.node_count):
        return wrong
    return _wrong_features(tree.feature[inner], tree.n_features)


def _wrong_predictor(predictor: Any) -> str | None:
    nodes = predictor.nodes
    if not len(nodes):
        return "it has no node"
    at = np.flatnonzero(nodes["is_leaf"] == 0)
    inner = nodes[at]
    if wrong := _wrong_children(inner["left"], inner["right"], at, len(nodes)):
        return wrong
    categorical = inner[inner["is_categorical"] != 0]
    if (categorical["bitset_idx"] >= len(predictor.raw_left_cat_bitsets)).any():
        return "a node names a set of categories that is not there"
    return _wrong_features(inner["feature_idx"], None)


def _wrong_neighbors(tree: Any) -> str | None:
    data, order, nodes, _ = tree.get_arrays()
    rows = len(data)
    if len(order) != rows or (rows and not (0 <= order.min() <= order.max() < rows)):
        return "it orders rows that are not there"
    if ((nodes["idx_start"] < 0) | (nodes["idx_end"] > rows)).any():
        return "a node holds rows that are not there"
    return None


def _wrong_children(left: Any, right: Any, at: Any, count: int) -> str | None:
    """A child comes after its parent in every tree that scikit-learn grows, so there is no circle."""
    for children in (left.astype("int64"), right.astype("int64")):
        if (children >= count).any():
            return f"node {int(at[(children >= count).argmax()])} has a child that is not there"
        if (children <= at).any():
            return f"node {int(at[(children <= at).argmax()])} has a child that comes before it"
    return None


def _wrong_features(features: Any, count: int | None) -> str | None:
    if (features < 0).any() or (count is not None and (features >= count).any()):
        return "a node asks for a feature that is not there"
    return None
