"""Config to dag-factory documents: pure, deterministic, and free of Airflow."""
