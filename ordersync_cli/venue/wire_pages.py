"""Reads pages of a listing: a row that cannot be read loses only itself (trap T37)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ordersync_cli.services.ports import Quarantined
from ordersync_cli.venue.redact import redacted
from ordersync_cli.venue.wire_orders import order_id_of
from ordersync_cli.venue.wire_values import WireError, as_row, as_rows, flag, venue_id

if TYPE_CHECKING:
    from ordersync_cli.venue.wire_values import Json, Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Generic[T]):
    """What one page held, and where the next one begins (None: this was the last).

    ``cut``: the venue says that more follows, and not where.
    """

    read: tuple[T, ...]
    quarantined: tuple[Quarantined, ...]
    next_cursor: str | None
    cut: bool


def page(body: Json, key: str, where: str, read_row: Callable[[Json], T], cursor: str | None) -> Rows[T]:
    """Read a page of ``key`` rows that was asked for at ``cursor``; raises WireError.

    An empty or repeated cursor ends a listing, and so does ``has_next`` false (trap T27);
    List Fills has no ``has_next``.
    """
    answer = as_row(body, where)
    if flag(answer, "proof_token_required"):
        raise WireError(f"{where} wants a second factor and would be incomplete without it")
    read: list[T] = []
    quarantined: list[Quarantined] = []
    for value in as_rows(answer, key):
        try:
            read.append(read_row(value))
        except WireError as error:
            quarantined.append(Quarantined(where=where, problem=redacted(str(error)), order_id=order_id_of(value)))
    following = _next_cursor(answer, cursor)
    return Rows(
        read=tuple(read),
        quarantined=tuple(quarantined),
        next_cursor=following,
        cut=following is None and flag(answer, "has_next"),
    )


def _next_cursor(answer: Row, asked: str | None) -> str | None:
    if not flag(answer, "has_next", default=True):
        return None
    following = venue_id(answer, "cursor")
    if following is None or following in (asked, "0"):  # "0" is where a listing begins
        return None
    return following


def only_asked(ids: Collection[str], found: Collection[str | None]) -> bool:
    """Tell whether an answer kept to the ids it was asked for."""
    return all(one is None or one in ids for one in found)
