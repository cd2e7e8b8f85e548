#!/bin/sh
# Run by PostgreSQL's image when the database is new: the login that owns the tables, and the one that a node has.
set -eu
word() { cat "/run/secrets/postgres/$1"; } # hexadecimal digits
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<SQL
CREATE ROLE owner LOGIN PASSWORD '$(word owner)';
CREATE ROLE relay LOGIN PASSWORD '$(word relay)';
CREATE ROLE blindrelay_relay NOLOGIN;
CREATE ROLE blindrelay_desk NOLOGIN;
CREATE ROLE blindrelay_logs NOLOGIN;
GRANT blindrelay_relay, blindrelay_desk TO relay;
CREATE DATABASE blindrelay OWNER owner;
REVOKE CONNECT ON DATABASE blindrelay FROM PUBLIC;
GRANT CONNECT ON DATABASE blindrelay TO relay;
SQL
