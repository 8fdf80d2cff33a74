"""Note where imported trades came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table `imports`."""
    op.create_table(
        "imports",
        sa.Column("trade_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("source_key", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.String()),
        sa.Column("extra", sa.Text()),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_imports_source_key", "imports", ["source_key"], unique=True)
