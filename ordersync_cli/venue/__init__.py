"""Coinbase Advanced Trade over REST and WebSocket, translated into domain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ordersync_cli.clock import Chance, Clock
    from ordersync_cli.services.ports import Budget
    from ordersync_cli.venue.credentials import CredentialSource
    from ordersync_cli.venue.feed import UserFeed
    from ordersync_cli.venue.feed_session import FeedTimings
    from ordersync_cli.venue.rest import RestVenue, Tuning

COINBASE_REST_URL = "https://api.coinbase.com"
COINBASE_WS_URL = "wss://advanced-trade-ws-user.coinbase.com"


def key_source(*, key_file: Path | None = None, key_name: str = "", key_secret: str = "") -> CredentialSource:
    """Say where the key is: Coinbase's key file, or a name and a secret. Reads nothing yet."""
    from ordersync_cli.venue.credentials import KeyFile, KeyPair

    return KeyFile(key_file) if key_file is not None else KeyPair(key_name, key_secret)


def open_venue(
    *,
    rest_url: str = COINBASE_REST_URL,
    source: CredentialSource,
    budget: Budget,
    clock: Clock,
    chance: Chance,
    name: str = "coinbase",
    simulated: bool = False,
    tuning: Tuning | None = None,
) -> RestVenue:
    """Open the venue; sends nothing yet. Raises SettingsError (exit 3) for a bad key or address.

    Imports the SDK (a fifth of a second), so call it only where the venue is needed.
    """
    from ordersync_cli.venue.rest import RestVenue, Tuning

    return RestVenue(
        rest_url=rest_url,
        source=source,
        budget=budget,
        clock=clock,
        chance=chance,
        name=name,
        simulated=simulated,
        tuning=tuning or Tuning(),
    )


def open_feed(
    venue: RestVenue,
    *,
    ws_url: str = COINBASE_WS_URL,
    clock: Clock,
    chance: Chance,
    timings: FeedTimings | None = None,
    ca_file: str | None = None,
) -> UserFeed:
    """Open the feed with the key and the clock of a venue; connects when it is started.

    Raises SettingsError (exit 3) for a bad address. Imports `websockets`.
    """
    from ordersync_cli.venue.feed import UserFeed
    from ordersync_cli.venue.feed_session import FeedTimings

    return UserFeed(
        url=ws_url,
        signer=venue.signer,
        clock=clock,
        chance=chance,
        timings=timings or FeedTimings(),
        prepare=venue.offset,
        ca_file=ca_file,
    )
