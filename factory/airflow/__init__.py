"""Documents to DAGs, and everything else that knows Airflow."""
