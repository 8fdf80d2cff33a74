"""Turns every error of a database driver into one clear StoreError, without secrets."""

from __future__ import annotations

import sqlite3
from typing import Any

from ordersync_cli.errors import AlreadyKnown, StoreError
from ordersync_cli.store.urls import Location

_NOTHING = "Nothing of this step was written."


def translated(problem: Exception, at: Location) -> StoreError:
    """Say what a driver's error means for this store, and what to do."""
    if isinstance(problem, sqlite3.Error):
        return _of_sqlite(problem, at)
    return _of_postgres(problem, at)


# ---------------------------------------------------------------------------- SQLite

_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "is locked: another program has been writing to it for more than 10 s",
        "Let it finish (`fuser FILE` tells who it is), then run again.",
    ),
    sqlite3.SQLITE_READONLY: (
        "cannot be written: the file or its directory is read-only",
        "Make the file and its directory writable for this user.",
    ),
    sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "Free some space, then run again."),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "See that its directory exists and that this user may write there.",
    ),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "See to the disk."),
    sqlite3.SQLITE_NOTADB: (
        "is not a SQLite database",
        "Give the store's file with --database, or restore it from a backup.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Restore it from a backup, then run `ordersync reconcile --deep`.",
    ),
    sqlite3.SQLITE_PERM: ("may not be opened by this user", "See to its permissions."),
}
_SQLITE[sqlite3.SQLITE_LOCKED] = _SQLITE[sqlite3.SQLITE_BUSY]
_SQLITE[sqlite3.SQLITE_AUTH] = _SQLITE[sqlite3.SQLITE_PERM]


def _of_sqlite(problem: sqlite3.Error, at: Location) -> StoreError:
    text = str(problem)
    if isinstance(problem, sqlite3.IntegrityError):
        return _taken(text, at) if "UNIQUE" in text else _refused(text, at)
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE:
        said, remedy = _SQLITE[code]
        return StoreError(f"The store {at.shown} {said} ({text}). {_NOTHING}", remedy)
    if "no such table" in text or "no such column" in text:
        return _shapeless(text, at)
    return StoreError(f"The store {at.shown} failed: {text}. {_NOTHING}", "See `ordersync db current`.")


# ---------------------------------------------------------------------------- Postgres

_POSTGRES: dict[str, tuple[str, str]] = {
    "28": ("refuses this user or password", "See to the user and password of --database."),
    "3D000": ("does not exist", "Create it, then run `ordersync db upgrade`."),
    "53100": ("cannot be written: the disk is full", "Free some space on the server."),
    "53300": ("accepts no more connections", "Close some, or raise max_connections."),
    "55P03": ("is locked: another program held a row for more than 10 s", "Run again."),
    "57014": ("took longer than 30 s for one statement", "Run again when the server is less busy."),
    "25006": ("is read-only (a standby server?)", "Give the primary server with --database."),
    "42501": ("lets this user not do that", "Grant the user the rights on the store's tables."),
    "40P01": ("broke off a deadlock with another program", "Run again."),
    "40001": ("broke off a conflict with another program", "Run again."),
}
_GONE = ("cannot be reached", "See that the server runs and that the host and port are right.")


def _of_postgres(problem: Exception, at: Location) -> StoreError:
    state = str(getattr(problem, "sqlstate", None) or "")
    text = at.masked(_first_line(problem))
    if state == "23505":
        return _taken(text, at)
    if state.startswith("23"):
        return _refused(text, at)
    if state in {"42P01", "42703"}:
        return _shapeless(text, at)
    known: Any = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    if known is None and (not state or state[:2] in {"08", "57"}):
        known = _GONE
    said, remedy = known or ("failed", "See the server's log.")
    return StoreError(f"The store {at.shown} {said} ({text}). {_NOTHING}", remedy)


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__


# ---------------------------------------------------------------------------- both


def _taken(text: str, at: Location) -> StoreError:
    return AlreadyKnown(f"The store {at.shown} has that id already ({text}). {_NOTHING}", "See `ordersync list`.")


def _refused(text: str, at: Location) -> StoreError:
    return StoreError(
        f"The store {at.shown} refuses a row ({text}). {_NOTHING}",
        "A constraint of the table `trades` may be older than ordersync: see `ordersync import --help`.",
    )


def _shapeless(text: str, at: Location) -> StoreError:
    return StoreError(
        f"The store {at.shown} lacks a table or column ({text}). {_NOTHING}",
        "Run `ordersync db upgrade`.",
    )
