"""A Coinbase-wire-compatible exchange over HTTP and WebSocket on loopback, with its state in one SQLite file.

How to use it from a test, or from anything else in this process::

    from ordersync_cli.simulator.server import SimulatorServer

    with SimulatorServer(tmp_path / "exchange.db", seed=7, rate_limit=None) as exchange:
        exchange.rest_url, exchange.ws_url, exchange.key_file      # what a client needs
        exchange.control.script([{"after_seconds": 0.2, "status": "FILLED", "filled_fraction": "1"}],
                                client_order_id="my-id")           # dictate one order's fate
        exchange.control.fault(target="rest", path="/api/v3/brokerage/orders", kind="cut_after", count=1)
        exchange.control.advance_clock(30)                          # move the exchange's clock
        exchange.control.ledger()                                   # the exchange's full truth, to compare with

From another process the same things are JSON over HTTP: POST /_control/script, /_control/faults, /_control/clock,
/_control/orders (placed elsewhere), /_control/orders/{order_id}/advance, GET /_control/ledger, GET /_control/requests.

This package shares no code with the rest of the project, so that both cannot be wrong in the same way.
"""
