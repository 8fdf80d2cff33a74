"""Coinbase Advanced Trade over REST and WebSocket, translated into domain values."""
