"""Tables for a terminal: ids and numbers in one piece, and columns left out where there is no room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ordersync_cli.cli.output import harmless

LONGEST_WHOLE = 40  # characters of a cell that is never folded: an order id has 36
SHORTEST_FOLDED = 38  # a column of longer cells is folded, but not so that an id and its comma in it are cut
_PADDING = 2


def fitted(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    marks: Mapping[str, str],
    spare: Sequence[str],
    width: int,
) -> tuple[Table, int, list[str]]:
    """Make a table for ``width`` characters; also how many it needs, and which columns it goes without.

    ``marks``: the style of a cell that is exactly that word. ``spare``: what may be left out, the
    first ones first.
    """
    table = Table(box=SIMPLE_HEAD, title_justify="left", pad_edge=False, collapse_padding=True)
    widths = [max((len(column), *(len(row[n]) for row in rows))) for n, column in enumerate(columns)]
    needed = [min(wide, SHORTEST_FOLDED if wide > LONGEST_WHOLE else wide) + _PADDING for wide in widths]
    left_out: list[str] = []
    for column in spare:
        if sum(needed) <= width:
            break
        needed[columns.index(column)] = 0
        left_out.append(column)
    kept = [n for n, wide in enumerate(needed) if wide]
    for n in kept:
        # Ids, times and numbers stay in one piece, to be read and copied: a row too long goes over the edge.
        table.add_column(Text(columns[n]), overflow="fold", no_wrap=widths[n] <= LONGEST_WHOLE)
    for row in rows:
        table.add_row(*(Text(harmless(row[n]), style=marks.get(row[n], "")) for n in kept))
    return table, sum(needed), left_out
