"""The catalogue: what is traded here, with Coinbase's real increments where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """One product; `book_id` is where its prices come from (an alias shares the book of its canonical product)."""

    product_id: str
    base: str
    quote: str
    base_name: str
    quote_name: str
    reference_price: Decimal
    base_increment: Decimal
    price_increment: Decimal
    quote_increment: Decimal
    base_min_size: Decimal
    base_max_size: Decimal
    quote_min_size: Decimal = Decimal(1)
    quote_max_size: Decimal = Decimal(150_000_000)
    depth: Decimal = Decimal(250_000)  # how much quote money rests within reach of one order
    alias: str = ""
    alias_to: tuple[str, ...] = ()
    trading_disabled: bool = False
    limit_only: bool = False
    post_only: bool = False
    cancel_only: bool = False
    view_only: bool = False

    @property
    def book_id(self) -> str:
        """Return the product whose order book this one trades in."""
        return self.alias or self.product_id

    @property
    def is_tradable(self) -> bool:
        """Tell whether any new order is taken."""
        return not (self.trading_disabled or self.cancel_only or self.view_only)


_NAMES = {
    "BTC": "Bitcoin",
    "ETH": "Ethereum",
    "ADA": "Cardano",
    "SOL": "Solana",
    "DOGE": "Dogecoin",
    "LTC": "Litecoin",
    "XRP": "XRP",
    "USD": "US Dollar",
    "USDC": "USDC",
    "USDT": "Tether",
    "EUR": "Euro",
}
FIAT = frozenset({"USD", "EUR"})


def _product(product_id: str, price: str, base_increment: str, price_increment: str, **more: object) -> Product:
    base, quote = product_id.split("-")
    values: dict[str, object] = {
        "base_min_size": Decimal(base_increment),
        "base_max_size": Decimal(more.pop("base_max", 1_000_000)),  # type: ignore[arg-type]
        "quote_increment": Decimal(price_increment),
        **more,
    }
    return Product(
        product_id=product_id,
        base=base,
        quote=quote,
        base_name=_NAMES[base],
        quote_name=_NAMES[quote],
        reference_price=Decimal(price),
        base_increment=Decimal(base_increment),
        price_increment=Decimal(price_increment),
        **values,  # type: ignore[arg-type]
    )


CATALOGUE: dict[str, Product] = {
    product.product_id: product
    for product in (
        _product("BTC-USD", "68923.67", "0.00000001", "0.01", base_max=3400, alias_to=("BTC-USDC",)),
        _product("BTC-USDC", "68923.67", "0.00000001", "0.01", base_max=3400, alias="BTC-USD"),
        _product("ETH-USD", "3512.40", "0.00000001", "0.01", base_max=42000, alias_to=("ETH-USDC",)),
        _product("ETH-USDC", "3512.40", "0.00000001", "0.01", base_max=42000, alias="ETH-USD"),
        _product("SOL-USD", "152.31", "0.00000001", "0.01", base_max=190000),
        _product("ADA-USD", "0.4521", "0.00000001", "0.0001", base_max=14000000, alias_to=("ADA-USDC",)),
        _product("ADA-USDC", "0.4521", "0.00000001", "0.0001", base_max=14000000, alias="ADA-USD"),
        _product("ADA-USDT", "0.4519", "0.01", "0.0001", base_max=14000000),
        _product("DOGE-USDT", "0.1234", "0.1", "0.00001", base_max=40000000),
        _product("BTC-EUR", "63512.11", "0.00000001", "0.01", base_max=1500),
        _product("ETH-BTC", "0.05096", "0.00000001", "0.00001", quote_min_size=Decimal("0.000016")),
        _product("LTC-USD", "82.15", "0.00000001", "0.01", trading_disabled=True),
        _product("DOGE-USD", "0.12345", "0.1", "0.00001", limit_only=True),
        _product("XRP-USD", "0.5213", "0.000001", "0.0001", post_only=True),
    )
}

OPENING_BALANCES: dict[str, Decimal] = {
    "USD": Decimal("250000"),
    "USDC": Decimal("100000"),
    "USDT": Decimal("50000"),
    "EUR": Decimal("50000"),
    "BTC": Decimal("5"),
    "ETH": Decimal("50"),
    "ADA": Decimal("100000"),
    "SOL": Decimal("400"),
    "DOGE": Decimal("250000"),
    "XRP": Decimal("50000"),
    "LTC": Decimal("100"),
}
