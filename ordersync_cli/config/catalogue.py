"""Every setting there is: how it is written, what it is without being set, and what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ordersync_cli.config import mask, parse

COINBASE_REST_URL = "https://api.coinbase.com"
COINBASE_WS_URL = "wss://advanced-trade-ws-user.coinbase.com"  # Coinbase docs, WebSocket overview: user order data


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; ``default`` is written as a person would write it, None where there is none."""

    name: str
    read: Callable[[str], Any]
    default: str | None
    about: str
    group: str
    flag: str | None = None
    env: str = ""
    in_file: bool = True
    masked: Callable[[str], str] | None = None

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return self.env or f"ORDERSYNC_{self.name.upper()}"


def _text(text: str) -> str:
    return text.strip()


_CONNECTION = (
    Setting(
        "venue",
        parse.word_of("simulator", "coinbase"),
        "simulator",
        "where orders go: simulator or coinbase",
        "venue",
        "--venue",
    ),
    Setting("rest_url", parse.rest_endpoint, None, "address of the venue's REST service", "venue", "--rest-url"),
    Setting("ws_url", parse.ws_endpoint, None, "address of the venue's user channel", "venue", "--ws-url"),
    Setting("key_file", parse.path, None, "Coinbase's key file (JSON, mode 600)", "venue", "--key-file"),
    Setting(
        "api_key",
        _text,
        None,
        "the key's name, instead of a key file",
        "venue",
        env="COINBASE_API_KEY",
        in_file=False,
        masked=mask.mask_secret,
    ),
    Setting(
        "api_secret",
        _text,
        None,
        "the key's private key, instead of a key file",
        "venue",
        env="COINBASE_API_SECRET",
        in_file=False,
        masked=mask.mask_secret,
    ),
    Setting(
        "requests_per_second",
        parse.amount,
        "2.5",
        "requests a second to the venue, shared by every process on the store",
        "venue",
    ),
    Setting("request_timeout", parse.duration, "10s", "how long one request may take", "venue"),
    Setting("orders_page_size", parse.page_size, "250", "orders asked for in one page", "venue"),
    Setting("fills_page_size", parse.page_size, "100", "fills asked for in one page", "venue"),
    Setting(
        "database_url",
        parse.database_url,
        None,
        "the trade store: sqlite:///FILE or postgresql+psycopg://...",
        "store",
        "--database",
        masked=mask.mask_password,
    ),
    Setting("simulator_seed", parse.count, "1", "seed of the embedded simulator's market", "simulator"),
    Setting("simulator_faults", parse.path, None, "fault plan of the embedded simulator", "simulator"),
    Setting("log_file", parse.path, None, "write the log there instead of stderr", "log", "--log-file"),
    Setting("log_format", parse.word_of("text", "json"), "text", "text or json", "log", "--log-format"),
)

_FOLLOWING = (
    Setting("max_notional", parse.amount, None, "largest order accepted, in the quote currency", "limits"),
    Setting("poll_every", parse.duration, "1s", "REST look-ups while the feed is not live", "intervals"),
    Setting("audit_every", parse.duration, "2s", "REST look-ups that check a live feed", "intervals"),
    Setting("light_every", parse.duration, "30s", "light pass inside watch; 0: not from here", "intervals"),
    Setting("deep_every", parse.duration, "5m", "deep pass inside watch; 0: not from here", "intervals"),
    Setting("audit_sample", parse.count, "20", "old terminal trades audited by each deep pass", "intervals"),
    Setting("stale_market", parse.duration, "15s", "a pending market order unconfirmed for longer is stale", "limits"),
    Setting("stale_resting", parse.duration, "60s", "a resting order unconfirmed for longer is stale", "limits"),
    Setting("blocked_after", parse.duration, "10s", "a market order pending for longer blocks its bot", "limits"),
)

_ALERTING = (
    Setting(
        "webhook_url",
        parse.webhook_url,
        None,
        "gets a POST for each status change",
        "notifications",
        masked=mask.mask_url,
    ),
    Setting("webhook_secret", _text, None, "signs these POSTs", "notifications", masked=mask.mask_secret),
    Setting("alert_urls", parse.url_list, "", "where alerts go, comma separated", "alerts", masked=mask.mask_url),
    Setting(
        "alert_market_order_pending", parse.duration, "10s", "alert when a market order is pending longer", "alerts"
    ),
    Setting("alert_outcome_unknown", parse.duration, "60s", "alert when an outcome is unknown longer", "alerts"),
    Setting("alert_feed_stale", parse.duration, "30s", "alert when the feed is not live longer", "alerts"),
    Setting("alert_venue_unreachable", parse.duration, "30s", "alert when the venue is silent longer", "alerts"),
    Setting("alert_outbox_undelivered", parse.duration, "60s", "alert when a delivery waits longer", "alerts"),
    Setting("alert_clock_skew", parse.duration, "5s", "alert when this clock is off by more", "alerts"),
    Setting(
        "alert_run_overdue_intervals",
        parse.amount,
        "2",
        "alert when the last good pass is older than so many of its intervals",
        "alerts",
    ),
    Setting(
        "alert_calm", parse.duration, "10m", "an incident without a sign of its own ends after that calm", "alerts"
    ),
    Setting("alert_count_every", parse.duration, "1m", "a repeated cause is counted at most that often", "alerts"),
    Setting("alert_repeat_every", parse.duration, "1h", "an open incident is said again after that long", "alerts"),
    Setting("alert_group_above", parse.count, "3", "more orders than that with one rule become one incident", "alerts"),
    Setting("alert_messages_per_hour", parse.count, "60", "alerts an hour, critical ones apart", "alerts"),
    Setting("quiet_hours", parse.quiet_hours, None, "hours (UTC) in which only critical alerts go out", "alerts"),
)

_TARGETS = (
    Setting("target_market_pending_over_10s", parse.count, "0", "market orders ever pending over 10 s", "targets"),
    Setting("target_sync_latency_mean", parse.duration, "5s", "mean sync latency must be under", "targets"),
    Setting("target_real_time_p99", parse.duration, "1s", "p99 of the feed's latency must be under", "targets"),
    Setting("target_status_accuracy", parse.ratio, "0.999", "share of audited trades that match", "targets"),
    Setting("target_manual_interventions", parse.count, "0", "manual syncs that changed a row", "targets"),
    Setting("target_undelivered_alerts", parse.count, "0", "alerts that wait for delivery", "targets"),
    Setting("target_bots_blocked", parse.count, "0", "bots blocked by a pending market order", "targets"),
)

CATALOGUE: tuple[Setting, ...] = _CONNECTION + _FOLLOWING + _ALERTING + _TARGETS
BY_NAME = {setting.name: setting for setting in CATALOGUE}
