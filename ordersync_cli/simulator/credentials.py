"""Throwaway API keys in the shapes of Coinbase's key files, and their public halves in the state."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ordersync_cli.simulator.server_edge import fresh_suffix, fresh_uuid
from ordersync_cli.simulator.state import State

ALL_SCOPES = ("view", "trade")
_PEM = serialization.Encoding.PEM
_PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def make_key(state: State, *, kind: str = "ecdsa", scopes: tuple[str, ...] = ALL_SCOPES) -> dict[str, Any]:
    """Make a key that this exchange accepts and return its key file's content.

    kind "ecdsa" is the legacy shape (name, EC PEM), "ed25519" the new one (id, base64 of seed and public key).
    """
    if kind == "ecdsa":
        name, public, content = _ecdsa(scopes)
    elif kind == "ed25519":
        name, public, content = _ed25519()
    else:
        raise ValueError(f"unknown kind of key: {kind}")
    with state.transaction():
        state.sql.execute("INSERT INTO keys VALUES (?, ?, ?)", (name, public.decode(), json.dumps(list(scopes))))
    return content


def _ecdsa(scopes: tuple[str, ...]) -> tuple[str, bytes, dict[str, Any]]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = f"organizations/{fresh_uuid()}/apiKeys/{fresh_uuid()}"
    public = private.public_key().public_bytes(_PEM, _PUBLIC)
    pem = private.private_bytes(_PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    content = {
        "name": name,
        "principal": "simulated-user",
        "principalType": "USER",
        "publicKey": public.decode(),
        "privateKey": pem.decode(),
        "createTime": "2025-01-01T00:00:00Z",
        "nickname": "ordersync simulator (throwaway)",
        "scopes": [f"rat#{scope}" for scope in scopes],
        "allowedIps": [],
        "keyType": "TRADING_KEY",
        "enabled": True,
    }
    return name, public, content


def _ed25519() -> tuple[str, bytes, dict[str, Any]]:
    private = ed25519.Ed25519PrivateKey.generate()
    name = fresh_uuid()
    raw = serialization.Encoding.Raw
    seed = private.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = private.public_key()
    both = seed + public.public_bytes(raw, serialization.PublicFormat.Raw)
    content = {"id": name, "privateKey": base64.b64encode(both).decode()}
    return name, public.public_bytes(_PEM, _PUBLIC), content


def write_key_file(path: Path, content: dict[str, Any]) -> None:
    """Write a key file that only its owner can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.{fresh_suffix()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    beside.replace(path)


def shared_key_file(state: State) -> Path:
    """Return the key file beside the state, made by whichever process comes first."""
    path = state.path.with_suffix(".key.json")
    if _is_ours(path, state):
        return path
    content = make_key(state)
    with state.transaction():  # the write lock of the state decides who writes the file
        if not _is_ours(path, state):
            write_key_file(path, content)
    return path


def _is_ours(path: Path, state: State) -> bool:
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return state.sql.execute("SELECT 1 FROM keys WHERE name = ?", (name,)).fetchone() is not None
