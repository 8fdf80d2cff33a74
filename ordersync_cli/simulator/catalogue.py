"""Prints products, prices, accounts, fees and the rest of what surrounds the orders, as recorded answers show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ordersync_cli.simulator.draws import Draws, draw_uuid
from ordersync_cli.simulator.market import Market
from ordersync_cli.simulator.money import plus, text, times
from ordersync_cli.simulator.products import CATALOGUE, FIAT, Product
from ordersync_cli.simulator.state import State
from ordersync_cli.simulator.times import micro_text, milli_text

_DAY = 86_400_000_000


def product_body(product: Product, market: Market, now: int) -> dict[str, Any]:
    """Return one product; numbers nobody filled in are empty strings, as recorded."""
    quote = market.quote(product, now)
    before = market.quote(product, now - _DAY)
    change = times(quote.bid - before.bid, Decimal(100)) / before.bid
    volume = Draws(market.seed, "volume", product.book_id).between(1_000, 20_000)
    return {
        "product_id": product.product_id,
        "price": text(quote.bid),
        "price_percentage_change_24h": f"{change:.14f}",
        "volume_24h": str(volume),
        "volume_percentage_change_24h": "0",
        "base_increment": format(product.base_increment, "f"),
        "quote_increment": format(product.quote_increment, "f"),
        "quote_min_size": format(product.quote_min_size, "f"),
        "quote_max_size": format(product.quote_max_size, "f"),
        "base_min_size": format(product.base_min_size, "f"),
        "base_max_size": format(product.base_max_size, "f"),
        "base_name": product.base_name,
        "quote_name": product.quote_name,
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "delisted" if product.trading_disabled else "online",
        "cancel_only": product.cancel_only,
        "limit_only": product.limit_only,
        "post_only": product.post_only,
        "trading_disabled": product.trading_disabled,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": product.quote,
        "base_currency_id": product.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": product.alias,
        "alias_to": list(product.alias_to),
        "base_display_symbol": product.base,
        "quote_display_symbol": "USD" if product.quote == "USDC" else product.quote,
        "view_only": product.view_only,
        "price_increment": format(product.price_increment, "f"),
        "display_name": product.product_id,
        "product_venue": "CBE",
        "approximate_quote_24h_volume": text(times(Decimal(volume), quote.bid)),
        "new_at": "2023-01-01T00:00:00Z",
        "market_cap": "",
        "base_cbrn": "",
        "quote_cbrn": "",
        "product_cbrn": "",
        "icon_color": "",
        "icon_url": "",
        "display_name_overwrite": "",
        "is_alpha_testing": False,
        "about_description": "",
        "best_bid_price": "",
        "best_ask_price": "",
    }


def product_list(
    market: Market, now: int, product_ids: list[str], product_type: str, limit: int | None, offset: int
) -> dict[str, Any]:
    """Return List Products; only spot products exist here."""
    chosen = [p for p in CATALOGUE.values() if not product_ids or p.product_id in product_ids]
    if product_type not in ("", "SPOT", "UNKNOWN_PRODUCT_TYPE"):
        chosen = []
    page = chosen[offset:] if limit is None else chosen[offset : offset + limit]
    products = [product_body(product, market, now) for product in page]
    return {"products": products, "num_products": len(products), "pagination": None}


def price_book(product: Product, market: Market, now: int, levels: int) -> dict[str, Any]:
    """Return one price book with up to `levels` places a side."""
    quote = market.quote(product, now)
    draws = Draws(market.seed, "depth", product.book_id)
    size = text(times(product.base_min_size, Decimal(draws.between(10_000, 900_000))))
    step = product.price_increment
    return {
        "product_id": product.product_id,
        "bids": [{"price": text(max(quote.bid - step * n, step)), "size": size} for n in range(levels)],
        "asks": [{"price": text(quote.ask + step * n), "size": size} for n in range(levels)],
        "time": micro_text(now),
    }


def product_book(product: Product, market: Market, now: int, levels: int) -> dict[str, Any]:
    """Return Get Product Book with its summary figures."""
    quote = market.quote(product, now)
    middle, spread = plus(quote.bid, quote.ask) / 2, quote.ask - quote.bid
    return {
        "pricebook": price_book(product, market, now, levels),
        "last": text(quote.bid),
        "mid_market": text(middle),
        "spread_bps": f"{spread / middle * 10_000:.8f}",
        "spread_absolute": text(spread),
    }


def account_uuid(state: State, currency: str) -> str:
    """Return the account id of a currency."""
    return draw_uuid(state.seed, "account", currency)


def account_rows(state: State) -> list[dict[str, Any]]:
    """Return every account, in a fixed order."""
    opened = state.market.opened_at
    rows = state.sql.execute("SELECT currency, available, held FROM balances ORDER BY currency").fetchall()
    return [
        {
            "uuid": account_uuid(state, currency),
            "name": f"{currency} Wallet",
            "currency": currency,
            "available_balance": {"value": text(Decimal(available)), "currency": currency},
            "default": True,
            "active": True,
            "created_at": milli_text(opened),
            "updated_at": milli_text(opened),
            "deleted_at": None,
            "type": "ACCOUNT_TYPE_FIAT" if currency in FIAT else "ACCOUNT_TYPE_CRYPTO",
            "ready": True,
            "hold": {"value": text(Decimal(held)), "currency": currency},
            "retail_portfolio_id": state.portfolio_id,
            "platform": "ACCOUNT_PLATFORM_CONSUMER",
        }
        for currency, available, held in rows
    ]


def old_account_rows(state: State) -> dict[str, Any]:
    """Return GET /v2/accounts, the older list that ccxt takes balances from."""
    rows = [
        {
            "id": row["uuid"],
            "name": row["name"],
            "primary": True,
            "type": "fiat" if row["currency"] in FIAT else "wallet",
            "currency": {"code": row["currency"], "name": row["currency"]},
            "balance": {"amount": row["available_balance"]["value"], "currency": row["currency"]},
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "resource": "account",
            "resource_path": f"/v2/accounts/{row['uuid']}",
        }
        for row in account_rows(state)
    ]
    return {"pagination": {"limit": 250, "next_starting_after": None, "next_uri": None}, "data": rows}


def transaction_summary(state: State) -> dict[str, Any]:
    """Return the fee tier; volumes are JSON numbers, rates strings, as recorded."""
    cash = state.available("USD")
    return {
        "total_volume": 0,
        "total_fees": 0,
        "fee_tier": {
            "pricing_tier": "Intro 1",
            "usd_from": "",
            "usd_to": "",
            "taker_fee_rate": "0.012",
            "maker_fee_rate": "0.006",
            "aop_from": "0",
            "aop_to": "1000000",
            "perps_vol_from": "",
            "perps_vol_to": "",
            "futures_vol_from": "",
            "futures_vol_to": "",
            "volume_types_and_range": [
                {
                    "volume_types": ["VOLUME_TYPE_SPOT", "VOLUME_TYPE_US_DERIVATIVES"],
                    "vol_from": "0",
                    "vol_to": "10000",
                }
            ],
        },
        "margin_rate": None,
        "goods_and_services_tax": None,
        "advanced_trade_only_volume": 0,
        "advanced_trade_only_fees": 0,
        "coinbase_pro_volume": 0,
        "coinbase_pro_fees": 0,
        "total_balance": f"{cash:.2f}",
        "has_promo_fee": False,
        "volume_breakdown": [
            {"volume_type": "VOLUME_TYPE_SPOT", "volume": 0},
            {"volume_type": "VOLUME_TYPE_US_DERIVATIVES", "volume": 0},
        ],
        "has_cost_plus_commission": False,
    }


def currencies() -> list[str]:
    """Return every currency that is traded here."""
    found = {p.base for p in CATALOGUE.values()} | {p.quote for p in CATALOGUE.values()}
    return sorted(found)


def fiat_currencies() -> dict[str, Any]:
    """Return GET /v2/currencies."""
    names = {"USD": "United States Dollar", "EUR": "Euro"}
    return {"data": [{"id": code, "name": names[code], "min_size": "0.01"} for code in sorted(FIAT)]}


def crypto_currencies() -> dict[str, Any]:
    """Return GET /v2/currencies/crypto."""
    rows = [code for code in currencies() if code not in FIAT]
    return {
        "data": [
            {
                "asset_id": draw_uuid(0, "asset", code),
                "code": code,
                "name": code,
                "color": "#000000",
                "sort_index": 100 + number,
                "exponent": 8,
                "type": "crypto",
                "address_regex": "",
            }
            for number, code in enumerate(rows)
        ]
    }


def exchange_rates(market: Market, now: int) -> dict[str, Any]:
    """Return GET /v2/exchange-rates in USD."""
    rates = {"USD": "1", "USDC": "1", "USDT": "1", "EUR": "0.92"}
    for product in CATALOGUE.values():
        if product.quote == "USD":
            rates[product.base] = f"{1 / market.quote(product, now).bid:.16f}"
    return {"data": {"currency": "USD", "rates": rates}}
