"""Which hyperparameter sets a model tries."""
