"""What is broken on purpose: a rule, the smallest change of the program that breaks it, and the test that notices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file; ``old`` stands there exactly once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One rule broken, and the test that is green without it and red with it."""

    name: str
    rule: str
    edits: tuple[Edit, ...]
    test: str


DOMAIN = "ordersync_cli/domain/"
SERVICES = "ordersync_cli/services/"
VENUE = "ordersync_cli/venue/"
STORE = "ordersync_cli/store/"
TRAPS = "tests/unit/domain/test_traps.py"
TRACK = "tests/unit/services/test_track.py"
TOGETHER = "tests/unit/services/test_track_together.py"

PLACING = (
    Mutation(
        name="row-after-post",
        rule="the intent is committed before the request leaves",
        edits=(
            Edit(
                SERVICES + "intent.py",
                "        with self.store.write() as transaction:\n"
                "            refuse_when_frozen(transaction)\n"
                "            return self.recorder.added_in(transaction, intent), signed",
                "        EARLY.append(self.venue.send(signed, 1))\n"
                "        with self.store.write() as transaction:\n"
                "            refuse_when_frozen(transaction)\n"
                "            return self.recorder.added_in(transaction, intent), signed",
            ),
            Edit(SERVICES + "intent.py", "TAKE_NEW_ID =", "EARLY: list = []\nTAKE_NEW_ID ="),
            Edit(
                SERVICES + "place.py",
                "            return self.venue.send(signed, trade.attempts)",
                "            from ordersync_cli.services import intent\n            return intent.EARLY.pop()",
            ),
        ),
        test="tests/simulation/test_crash.py::test_whoever_is_killed_at_a_commit_or_a_request_loses_nothing[cancel]",
    ),
    Mutation(
        name="token-for-ever",
        rule="an order's request is signed for 30 s",
        edits=(Edit(VENUE + "tokens.py", "ORDER_LIFE = 30 ", "ORDER_LIFE = 300_000 "),),
        test="tests/unit/venue/test_tokens.py::test_an_order_is_signed_for_thirty_seconds_and_says_until_when",
    ),
    Mutation(
        name="taken-id-is-ours",
        rule="an order with our client order id and other terms is not ours",
        edits=(
            Edit(
                DOMAIN + "matching.py",
                "    return order.mismatch or other_terms or _too_old(trade, order.created_time)",
                "    return bool(trade.attempts < 0 and other_terms)",
            ),
        ),
        test=f"{TRAPS}::test_T13_success_with_an_old_order_is_a_refusal_and_records_nothing",
    ),
)
JOIN = (
    Mutation(
        name="open-over-filled",
        rule="a stale OPEN never overwrites FILLED",
        edits=(
            Edit(
                DOMAIN + "standing.py",
                "    final = order.terminal is not None and order.final and (",
                "    final = order.open_word is None and order.final and (",
            ),
        ),
        test=f"{TRAPS}::test_P08_a_stale_open_never_overwrites_filled",
    ),
    Mutation(
        name="frames-added-up",
        rule="cumulative figures replace each other",
        edits=(
            Edit(
                DOMAIN + "merge.py",
                "        figures=_largest(a.figures, b.figures, figures_key, _figures_begin),",
                "        figures=_added_up(a.figures, b.figures),",
            ),
            Edit(
                DOMAIN + "merge.py",
                "def latest(a: datetime | None",
                "def _added_up(a, b):\n"
                "    if a is None or b is None:\n"
                "        return a or b\n"
                "    from dataclasses import replace\n"
                "    both = replace(b.figures, filled_size=a.figures.filled_size + b.figures.filled_size)\n"
                "    return replace(b, figures=both)\n\n\n"
                "def latest(a: datetime | None",
            ),
        ),
        test=f"{TRAPS}::test_T07_cumulative_frames_replace_and_never_add_up",
    ),
    Mutation(
        name="fills-twice",
        rule="one execution counts once, whatever brought it",
        edits=(
            Edit(
                DOMAIN + "fills.py",
                "    by_id = {fill.entry_id: fill for fill in a}\n",
                "    if a and b:\n        return (*a, *b)\n    by_id = {fill.entry_id: fill for fill in a}\n",
            ),
        ),
        test="tests/unit/domain/test_fills.py::test_of_one_entry_id_the_newest_booking_counts_in_any_order",
    ),
    Mutation(
        name="cancelled-is-failed",
        rule="an order that was cancelled with fills is completed",
        edits=(
            Edit(
                DOMAIN + "standing.py",
                "    elif proofs.final and (order.terminal == FILLED or proofs.money_moved):\n"
                "        status = Status.COMPLETED\n"
                "    elif proofs.final and proofs.zero:",
                "    elif proofs.final and order.terminal == FILLED:\n"
                "        status = Status.COMPLETED\n"
                "    elif proofs.final and (proofs.zero or proofs.money_moved):",
            ),
        ),
        test=f"{TRAPS}::test_T01_cancelled_after_a_partial_fill_is_completed_with_its_figures",
    ),
    Mutation(
        name="no-zero-proof",
        rule="an order without fills is looked at again before it is failed",
        edits=(Edit(DOMAIN + "standing.py", "    elif proofs.final and proofs.zero:", "    elif proofs.final:"),),
        test="tests/unit/services/test_reconcile_light.py::"
        "test_cancelled_without_a_fill_is_failed_only_after_a_second_look_in_the_same_pass",
    ),
    Mutation(
        name="frame-of-other-terms-settles",
        rule="a frame of other terms settles nothing until REST has compared them",
        edits=(
            Edit(DOMAIN + "matching.py", "    return order.frame_differs and not order.matched", "    return False"),
        ),
        test="tests/unit/domain/test_matching.py::"
        "test_T13_a_frame_of_other_terms_settles_nothing_until_rest_has_compared_them",
    ),
)
WIRE = (
    Mutation(
        name="cursor-ignored",
        rule="every page of a listing is read",
        edits=(
            Edit(
                VENUE + "wire_pages.py",
                "        next_cursor=following,",
                "        next_cursor=None,",
            ),
        ),
        test="tests/unit/venue/test_wire_orders.py::test_T37_a_page_with_one_unreadable_order_yields_the_others",
    ),
    Mutation(
        name="money-through-float",
        rule="decimals end to end",
        edits=(
            Edit(
                VENUE + "wire_values.py",
                "    return _unsigned_zero(Decimal(value.strip()))",
                "    return _unsigned_zero(Decimal(float(value.strip())))",
            ),
        ),
        test="tests/unit/venue/test_wire_values.py::test_T32_every_digit_of_a_number_is_kept",
    ),
)
WATCHING = (
    Mutation(
        name="no-takeover",
        rule="a driver that died is replaced",
        edits=(Edit(STORE + "leases.py", "DEAD_AFTER = 4.0", "DEAD_AFTER = 4e9"),),
        test=f"{TOGETHER}::test_T35_a_killed_driver_is_replaced_within_six_seconds",
    ),
    Mutation(
        name="no-sequence-check",
        rule="a gap in the numbering asks REST",
        edits=(Edit(VENUE + "sequence.py", "        return None if fits else expected", "        return None"),),
        test="tests/unit/venue/test_feed_reader.py::test_T23_a_gap_is_said_and_the_frame_is_kept",
    ),
    Mutation(
        name="heartbeats-are-enough",
        rule="heartbeats alone do not make a feed live",
        edits=(
            Edit(
                SERVICES + "watch/completeness.py",
                "        self.misses += len(late)\n        return late",
                "        return []",
            ),
        ),
        test=f"{TRACK}::test_T20_heartbeats_alone_do_not_count_as_live",
    ),
    Mutation(
        name="no-look-after-reconnect",
        rule="what ended or was created during a gap is asked for after the connect",
        edits=(
            Edit(
                SERVICES + "watch/hearing.py",
                "    if state.followed_up:\n",
                "    if state.followed_up or state.plan:\n",
            ),
        ),
        test=f"{TRACK}::test_T21_orders_that_ended_while_the_feed_was_away_are_fetched_by_id_after_the_connect",
    ),
    Mutation(
        name="commits-wait-for-stdout",
        rule="a slow reader never blocks the commits",
        edits=(
            Edit(
                "ordersync_cli/cli/lines.py",
                '        """There is something new in the store."""\n        self._news.set()',
                '        """There is something new in the store."""\n        self._out.write(b" " * 1_000_000)',
            ),
        ),
        test="tests/e2e/test_watch_lines.py::test_a_slow_reader_never_blocks_the_commits_and_loses_nothing",
    ),
    Mutation(
        name="standby-connects",
        rule="only the driver connects and asks",
        edits=(
            Edit(
                SERVICES + "watch/track.py",
                "            if self._role_is_new:\n",
                "            state.crew.drive(self._inbox)\n            if self._role_is_new:\n",
            ),
        ),
        test=f"{TOGETHER}::test_only_one_watcher_drives_and_only_that_one_connects_and_asks",
    ),
    Mutation(
        name="fence-unchecked",
        rule="who was overtaken cannot write late",
        edits=(
            Edit(
                STORE + "context.py",
                "        if row is None or tuple(row) != (lease.holder, lease.token):",
                "        if row is None:",
            ),
        ),
        test="tests/contract/test_store_leases.py::test_T35_a_holder_that_was_paused_cannot_write_late[sqlite]",
    ),
)
MUTATIONS: tuple[Mutation, ...] = (*PLACING, *JOIN, *WIRE, *WATCHING)
