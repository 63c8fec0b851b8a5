"""What tests share: their classes, servers on ports of their own, and a running Airflow."""
