"""What a decision is worth, for `churn.yaml`."""

import numpy as np
from numpy.typing import NDArray


def gain(truth: NDArray[np.str_], predicted: NDArray[np.str_], kept: float, call: float) -> float:
    """What it brings a customer to call all who are said to leave.

    Args:
        truth: `Yes` for those who leave.
        predicted: `Yes` for those who are called.
        kept: What one is worth who would have left.
        call: What a call costs.
    """
    called = predicted == "Yes"
    return float(np.mean(kept * (called & (truth == "Yes")) - call * called))
