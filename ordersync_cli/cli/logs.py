"""The log: text or JSON lines on stderr or in a file, with the run's id, without secrets."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ordersync_cli.cli.redact import Redactor
from ordersync_cli.errors import SettingsError

ROOT = "ordersync_cli"
_bound: ContextVar[dict[str, object]] = ContextVar("bound", default={})  # noqa: B039  (never changed in place)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_TALKATIVE = ("httpx", "httpcore", "urllib3", "coinbase", "websockets", "asyncio", "stamina")


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Add these values to every record of the block (``client_order_id=...``)."""
    before = _bound.set({**_bound.get(), **values})
    try:
        yield
    finally:
        _bound.reset(before)


class _Format(logging.Formatter):
    """Shared part of both formats: what a record says beside its message."""

    def __init__(self, redactor: Redactor, run_id: str) -> None:
        super().__init__()
        self._redactor = redactor
        self._run_id = run_id

    def parts(self, record: logging.LogRecord) -> dict[str, object]:
        """Collect the bound values and the record's own extras."""
        extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        values: dict[str, object] = {"run_id": self._run_id, **_bound.get(), **extras}
        return {key: self._redactor.value(key, value) for key, value in values.items()}

    def said(self, record: logging.LogRecord) -> tuple[str, str]:
        """Give the message and the traceback, both without secrets."""
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return self._redactor.text(record.getMessage()), self._redactor.text(trace)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class TextFormat(_Format):
    """One line a record, then the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        message, trace = self.said(record)
        values = " ".join(f"{key}={value}" for key, value in self.parts(record).items())
        line = " ".join(f"{_at(record)} {record.levelname.lower()} {message} {values}".split())
        return f"{line}\n{trace}" if trace else line


class JsonFormat(_Format):
    """One JSON object a record, the traceback inside it."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        message, trace = self.said(record)
        entry: dict[str, object] = {"at": _at(record), "level": record.levelname.lower(), "logger": record.name}
        entry |= {"message": message, **self.parts(record)}
        if trace:
            entry["traceback"] = trace
        return self._redactor.text(json.dumps(entry, default=str, ensure_ascii=False))


def log_level(*, verbose: bool, quiet: bool, to_file: bool) -> int:
    """Choose how much is logged: a file gets what a person at a terminal would not want to see."""
    if verbose:
        return logging.DEBUG
    if to_file:
        return logging.INFO
    return logging.ERROR if quiet else logging.WARNING


def start_log(*, file: Path | None, style: str, level: int, run_id: str, redactor: Redactor) -> None:
    """Send the log to stderr or to a file; raises SettingsError where the file cannot be opened."""
    form = (JsonFormat if style == "json" else TextFormat)(redactor, run_id)
    sink: logging.Handler
    if file is None:
        sink = logging.StreamHandler(sys.stderr)
    else:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            sink = logging.FileHandler(file, encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"The log file {file} cannot be written: {error.strerror}.", "Name another with --log-file."
            ) from None
    sink.setFormatter(form)
    root = logging.getLogger()
    stop_log()
    root.addHandler(sink)
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.raiseExceptions = False
    threading.excepthook = _log_thread_death


def stop_log() -> None:
    """Close what ``start_log`` opened."""
    root = logging.getLogger()
    for sink in list(root.handlers):
        if isinstance(sink.formatter, _Format):
            root.removeHandler(sink)
            sink.close()


def writes_to_file() -> str | None:
    """Tell which file the log goes to; None when it goes to stderr or nowhere."""
    for sink in logging.getLogger().handlers:
        if isinstance(sink, logging.FileHandler) and isinstance(sink.formatter, _Format):
            return sink.baseFilename
    return None


def _log_thread_death(death: threading.ExceptHookArgs) -> None:
    """Say it when a thread dies: a silent death is how the incident began."""
    if death.exc_value is None:
        return
    name = death.thread.name if death.thread else "?"
    trace: tuple[type[BaseException], BaseException, TracebackType | None]
    trace = (death.exc_type, death.exc_value, death.exc_traceback)
    logging.getLogger(ROOT).critical("thread %s died", name, exc_info=trace)
