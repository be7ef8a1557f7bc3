"""Configures how Alembic compares the database with the models."""
