"""Alerts as lines of the log, which is stderr where no log file is given."""

from __future__ import annotations

import logging

from ordersync_cli.notify.slack import alert_words
from ordersync_cli.services.ports import Delivery

logger = logging.getLogger("ordersync.alerts")


class LogSink:
    """Writes each alert as one line; always there, so that an alert is never without a reader."""

    def send(self, delivery: Delivery) -> None:
        """Log it by its severity; a resolution, and an outage that the command tells itself, quietly."""
        title, message = alert_words(delivery.body)
        quiet = delivery.body.get("state") == "resolved" or delivery.body.get("rule") == "venue_unreachable"
        critical = delivery.body.get("severity") == "critical"
        level = logging.INFO if quiet else logging.ERROR if critical else logging.WARNING
        logger.log(level, "%s: %s", title, message)

    def close(self) -> None:
        """Keep nothing open."""
