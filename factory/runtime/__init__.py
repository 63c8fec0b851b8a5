"""MLflow and Airflow on one machine, without Docker, account or configuration."""
