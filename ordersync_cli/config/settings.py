"""The settings of one run, read and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

from ordersync_cli.config.catalogue import BY_NAME, COINBASE_REST_URL, COINBASE_WS_URL
from ordersync_cli.config.mask import mask_password
from ordersync_cli.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: flag, environment, file or default, and its name there."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        """Say it for people."""
        return f"{self.kind} {self.name}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the catalogue as a typed value, and where each comes from."""

    venue: str
    rest_url: str | None
    ws_url: str | None
    key_file: Path | None
    api_key: str | None = field(repr=False)
    api_secret: str | None = field(repr=False)
    requests_per_second: Decimal
    request_timeout: timedelta
    orders_page_size: int
    fills_page_size: int
    database_url: str = field(repr=False)
    simulator_seed: int
    simulator_faults: Path | None
    log_file: Path | None
    log_format: str
    max_notional: Decimal | None
    poll_every: timedelta
    audit_every: timedelta
    light_every: timedelta
    deep_every: timedelta
    audit_sample: int
    stale_market: timedelta
    stale_resting: timedelta
    blocked_after: timedelta
    webhook_url: str | None = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    alert_urls: tuple[str, ...] = field(repr=False)
    alert_market_order_pending: timedelta
    alert_outcome_unknown: timedelta
    alert_feed_stale: timedelta
    alert_venue_unreachable: timedelta
    alert_outbox_undelivered: timedelta
    alert_clock_skew: timedelta
    alert_run_overdue_intervals: Decimal
    alert_calm: timedelta
    alert_count_every: timedelta
    alert_repeat_every: timedelta
    alert_group_above: int
    alert_messages_per_hour: int
    quiet_hours: tuple[time, time] | None
    target_market_pending_over_10s: int
    target_sync_latency_mean: timedelta
    target_real_time_p99: timedelta
    target_status_accuracy: Decimal
    target_manual_interventions: int
    target_undelivered_alerts: int
    target_bots_blocked: int

    origins: Mapping[str, Origin] = field(repr=False)
    config_file: Path
    profile: str | None
    data_dir: Path

    @property
    def venue_is_explicit(self) -> bool:
        """Whether somebody said which venue, or it is the default."""
        return self.origins["venue"].kind != "default"

    @property
    def simulated(self) -> bool:
        """Whether everything shown must be marked SIMULATED."""
        return self.venue == "simulator"

    @property
    def is_embedded(self) -> bool:
        """Whether the venue is the simulator inside this process (no address was given)."""
        return self.simulated and self.rest_url is None

    @property
    def has_credentials(self) -> bool:
        """Whether there is a key to sign with."""
        return self.key_file is not None or self.api_key is not None

    @property
    def store_path(self) -> Path | None:
        """The file of an SQLite store; None for Postgres."""
        url = self.database_url
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None

    @property
    def shown_database(self) -> str:
        """The store's URL without its password."""
        return mask_password(self.database_url)

    @property
    def simulator_state(self) -> Path:
        """The embedded simulator's own file: beside the store, one for each store."""
        if (path := self.store_path) is not None:
            return path.with_name(f"{path.stem}-exchange.db")
        place = hashlib.sha256(self.shown_database.encode()).hexdigest()[:12]
        return self.data_dir / f"simulated-{place}-exchange.db"

    @property
    def rest_endpoint(self) -> str:
        """The REST address to talk to; not for the embedded simulator, which has none before it runs."""
        return self.rest_url or COINBASE_REST_URL

    @property
    def ws_endpoint(self) -> str:
        """The user channel's address; as for ``rest_endpoint``."""
        return self.ws_url or COINBASE_WS_URL

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown, for the log's redactor."""
        found = [self.api_key, self.api_secret, self.webhook_secret, self.webhook_url, *self.alert_urls]
        if "@" in self.database_url and (user := self.database_url.split("://", 1)[1].rpartition("@")[0]):
            found.append(user.partition(":")[2] or None)
        return tuple(secret for secret in found if secret)

    def require_credentials(self) -> None:
        """Raise SettingsError where the venue needs a key and none is set."""
        if self.is_embedded or self.has_credentials:
            return
        raise SettingsError(
            f"Venue {self.venue} needs a key, and none is set; nothing was sent.",
            "Set ORDERSYNC_KEY_FILE to Coinbase's key file, or COINBASE_API_KEY and COINBASE_API_SECRET.",
        )

    def shown(self) -> dict[str, tuple[str | None, Origin]]:
        """Give each setting as text without secrets, with its origin, in the catalogue's order."""
        known = {f.name for f in fields(self)}
        return {name: (_as_text(getattr(self, name), name), self.origins[name]) for name in BY_NAME if name in known}


def _as_text(value: object, name: str) -> str | None:
    if value is None:
        return None
    masked = BY_NAME[name].masked
    if isinstance(value, timedelta):
        return span_text(value)
    if name == "quiet_hours" and isinstance(value, tuple):
        return "-".join(f"{moment:%H:%M}" for moment in value)
    if isinstance(value, tuple):
        return ",".join(masked(part) if masked else str(part) for part in value)
    return masked(str(value)) if masked else str(value)


def span_text(span: timedelta) -> str:
    """Write a duration as a person would: 30s, 5m, 24h, 7d."""
    if span % timedelta(seconds=1):
        return f"{span / timedelta(seconds=1):g}s"
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
