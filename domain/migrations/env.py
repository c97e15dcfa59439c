"""Alembic's environment: runs on the connection that `app.database.migrate` hands in."""

from alembic import context
from sqlalchemy import text

from domain import tables

LOCK = 7_266_173  # any number that nothing else in the database locks

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables.Base.metadata,
    include_name=lambda name, kind, _parents: kind != "table" or not (name or "").startswith("procrastinate"),
    compare_server_default=False,
)
connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
connection.commit()
try:
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
finally:
    connection.rollback()
    connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
    connection.commit()
