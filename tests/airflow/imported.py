"""What a package has only from elsewhere, and no team may name by it."""

from subprocess import check_output

from airflow.providers.standard.operators.bash import BashOperator

__all__ = ["BashOperator", "check_output"]
