"""Alerts through apprise: e-mail, Telegram, PagerDuty and whatever else its URLs name."""

from __future__ import annotations

import logging
from urllib.parse import quote, urlsplit

from ordersync_cli.notify.slack import alert_words
from ordersync_cli.services.alerts.deliver import DeliveryFailed
from ordersync_cli.services.ports import Delivery

_PAGERDUTY = "pagerduty"


class AppriseSink:
    """Sends alerts through one apprise URL; apprise is imported at the first message.

    PagerDuty gets the incident id as its dedup key, and a resolve when the incident is over.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._scheme = urlsplit(url).scheme

    def send(self, delivery: Delivery) -> None:
        """Send one alert; raises DeliveryFailed where apprise is missing, or says no."""
        try:
            import apprise
        except ImportError:
            raise DeliveryFailed(
                f"{self._scheme}: apprise is not installed (pip install 'ordersync[alerts]')", sink_down=True
            ) from None
        # apprise logs its URLs, which hold secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        sender = apprise.Apprise()
        if not sender.add(self._addressed(delivery)):
            raise DeliveryFailed(f"{self._scheme}: apprise cannot read this URL", sink_down=True)
        title, message = alert_words(delivery.body)
        if not sender.notify(body=message, title=title, notify_type=_kind(delivery)):
            raise DeliveryFailed(f"{self._scheme}: apprise could not deliver", sink_down=True)

    def close(self) -> None:
        """Keep nothing open."""

    def _addressed(self, delivery: Delivery) -> str:
        if self._scheme != _PAGERDUTY:
            return self._url
        # apprise's pagerduty plugin: `action=map` resolves on success, `dedup` names the incident.
        joint = "&" if "?" in self._url else "?"
        return f"{self._url}{joint}action=map&dedup={quote(delivery.key, safe='')}"


def _kind(delivery: Delivery) -> str:
    if delivery.body.get("state") == "resolved":
        return "success"
    return "failure" if delivery.body.get("severity") == "critical" else "warning"
