"""Models of anything with scikit-learn's API."""
