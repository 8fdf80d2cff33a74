"""Which sink a URL means, and the stable name under which the outbox knows it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from ordersync_cli.errors import SettingsError
from ordersync_cli.notify.apprise_sink import AppriseSink
from ordersync_cli.notify.log_sink import LogSink
from ordersync_cli.notify.slack import Slack
from ordersync_cli.notify.webhook import Webhook
from ordersync_cli.services.alerts.deliver import NOTIFICATION, Sink

LOG = "log"
_SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_SLACK_PREFIX = "slack+"


def alert_sinks(urls: Sequence[str]) -> dict[str, Sink]:
    """Make the sinks of alerts by name: the log, then one for each URL; SettingsError for a bad one."""
    sinks: dict[str, Sink] = {LOG: LogSink()}
    for url in (u.strip() for u in urls):
        if url:
            kind, sink = _alert_sink(url)
            sinks[f"{kind}-{_mark(url)}"] = sink
    return sinks


def notification_sinks(url: str | None, secret: str | None) -> dict[str, Sink]:
    """Make the sink of notifications, where a webhook is configured."""
    if not url:
        return {}
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise SettingsError("the webhook's URL is not an http(s) URL", "correct ORDERSYNC_WEBHOOK_URL")
    return {NOTIFICATION: Webhook(url, secret)}


def _alert_sink(url: str) -> tuple[str, Sink]:
    parts = urlsplit(url)
    if url.startswith(_SLACK_PREFIX) and parts.scheme in {"slack+https", "slack+http"}:
        return "slack", Slack(url.removeprefix(_SLACK_PREFIX))
    if parts.scheme in {"http", "https"}:
        if not parts.hostname:
            raise SettingsError("an alert URL names no host", "correct ORDERSYNC_ALERT_URLS")
        return ("slack", Slack(url)) if parts.hostname in _SLACK_HOSTS else ("webhook", Webhook(url))
    if not parts.scheme or "://" not in url:
        raise SettingsError(
            "an alert URL has no scheme", "write ORDERSYNC_ALERT_URLS as https://…, slack+https://…, or apprise's URLs"
        )
    return parts.scheme, AppriseSink(url)


def _mark(url: str) -> str:
    """Tell sinks apart without showing the secret in their URL."""
    return hashlib.sha256(url.encode()).hexdigest()[:8]
