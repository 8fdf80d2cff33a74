"""The least that places an order with the SDK and sees it end: what `ordersync place` is measured against.

`python sdk_alone.py HOST KEY_FILE`: one POST, then Get Order every 0.1 s until the order has ended. No store, no
validation, no check of the clock: what it prints is gone when it is killed.
"""

from __future__ import annotations

import sys
import time
import uuid

from coinbase.rest import RESTClient
from requests.adapters import HTTPAdapter


class PlainHTTP(HTTPAdapter):
    def send(self, request, **how):
        request.url = "http://" + request.url.removeprefix("https://")
        return super().send(request, **how)


host, key_file = sys.argv[1:]
client = RESTClient(key_file=key_file, base_url=host, timeout=5)
client.session.mount(f"https://{host}", PlainHTTP())
client.session.trust_env = False
answer = client.post(
    "/api/v3/brokerage/orders",
    data={
        "client_order_id": str(uuid.uuid4()),
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"market_market_ioc": {"quote_size": "25"}},
    },
)
path = f"/api/v3/brokerage/orders/historical/{answer['success_response']['order_id']}"
while (order := client.get(path)["order"])["status"] in ("PENDING", "OPEN"):
    time.sleep(0.1)
print(order["status"], order["filled_size"])
