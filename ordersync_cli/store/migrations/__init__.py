"""Schema changes of the store, applied by Alembic inside the package."""
