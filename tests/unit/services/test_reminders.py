"""When fills are fetched: soon after an end, and several in one request where the looks need the budget."""

from __future__ import annotations

from ordersync_cli.services.watch.reminders import FILLS_AFTER, TOGETHER_EVERY, Reminders


def test_fills_are_due_soon_after_an_end() -> None:
    reminders = Reminders()
    reminders.want_fills("a", 100.0)
    assert reminders.next_fills() == 100.0 + FILLS_AFTER
    assert reminders.fills_due(100.0) == []
    assert reminders.fills_due(100.0 + FILLS_AFTER) == ["a"]


def test_beside_many_orders_a_fill_a_second_is_one_request_in_four() -> None:
    """One request for each fill took two fifths of the budget, and made snapshots of 120 orders 3.6 s old."""
    reminders, asked = Reminders(), 0
    for second in range(60):
        mono = 100.0 + second
        reminders.want_fills(f"order-{second}", mono)
        due = reminders.fills_due(mono + 0.5, together=True)
        if due:
            asked += 1
            reminders.fills_asked(due, mono + 0.5)
            for order_id in due:
                reminders.fills_settled(order_id)
        following = reminders.next_fills(together=True)
        assert following is None or following <= mono + 0.5 + TOGETHER_EVERY
    assert asked == 60 / TOGETHER_EVERY
