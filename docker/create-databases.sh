#!/bin/sh
# Run by the PostgreSQL image once, when its volume is empty: a database and a user for Airflow and
# for MLflow each, neither of whom may read the other's.
set -eu
for name in airflow mlflow; do
    case $name in
        airflow) password=$AIRFLOW_DATABASE_PASSWORD ;;
        mlflow) password=$MLFLOW_DATABASE_PASSWORD ;;
    esac
    psql --quiet --set ON_ERROR_STOP=1 --set name="$name" --set password="$password" \
        --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
done
