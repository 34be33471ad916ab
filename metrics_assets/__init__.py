"""Engineering and community metrics as software-defined assets on Dagster and PostgreSQL."""
