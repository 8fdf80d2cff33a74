"""The trade store: SQLModel tables, transactions, leases and migrations on SQLite and Postgres."""
