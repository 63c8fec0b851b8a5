"""Tests of teams: small inputs go through a dataset's transforms and checks, without Airflow, MLflow and the project's lake."""
