"""The venue's status words as a table: what each means, and which of two outranks the other."""

from __future__ import annotations

from ordersync_cli.domain.orders import OrderStatus

# Coinbase docs, Get Order, field `status`. A partial fill is OPEN with a filled size; there is
# no word for it. Ranks decide between words of one instant and one channel only.
OPEN_WORDS: dict[str, tuple[int, OrderStatus]] = {
    "PENDING": (1, OrderStatus.OPEN),
    "QUEUED": (2, OrderStatus.OPEN),
    "OPEN": (3, OrderStatus.OPEN),
    "EDIT_QUEUED": (4, OrderStatus.OPEN),
    "CANCEL_QUEUED": (5, OrderStatus.CANCELLING),
}

# A terminal word is kept by rank alone, whatever its time: that is what makes it a join.
TERMINAL_WORDS: dict[str, tuple[int, OrderStatus]] = {
    "FAILED": (11, OrderStatus.FAILED),
    "EXPIRED": (12, OrderStatus.EXPIRED),
    "CANCELLED": (13, OrderStatus.CANCELLED),
    "FILLED": (14, OrderStatus.FILLED),
}

FILLED = "FILLED"
CANCEL_QUEUED = "CANCEL_QUEUED"

# What an operator may settle by hand, and the order status it stands for.
SETTLED_WORDS: dict[str, OrderStatus] = {
    "completed": OrderStatus.FILLED,
    "filled": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "failed": OrderStatus.FAILED,
    "rejected": OrderStatus.REJECTED,
    "not_placed": OrderStatus.NOT_PLACED,
}


def is_terminal(word: str) -> bool:
    """Tell whether this word ends an order."""
    return word in TERMINAL_WORDS


def is_known(word: str) -> bool:
    """Tell whether this word says anything; UNKNOWN_ORDER_STATUS does not."""
    return word in TERMINAL_WORDS or word in OPEN_WORDS


def rank(word: str) -> int:
    """Return the rank of a word; 0 for one we do not know."""
    known = TERMINAL_WORDS.get(word) or OPEN_WORDS.get(word)
    return known[0] if known else 0


def order_status_of(word: str) -> OrderStatus:
    """Translate a word of the venue; an unknown one means: it exists and is not known to be over."""
    known = TERMINAL_WORDS.get(word) or OPEN_WORDS.get(word)
    return known[1] if known else OrderStatus.OPEN
