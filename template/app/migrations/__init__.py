"""What Alembic compares with the models, and how, when it writes a migration or checks that none is missing."""
