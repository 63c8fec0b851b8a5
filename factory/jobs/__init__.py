"""Trials trained outside of their tasks, as jobs: the same entry point here, on SageMaker and in tests."""
