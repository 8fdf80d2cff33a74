"""Places orders on Coinbase Advanced Trade and keeps their stored status true."""

__version__ = "0.1.0"
