"""Keys are read in every format the venue gives them out in, and no error shows one."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ordersync_cli.errors import SettingsError
from ordersync_cli.venue import key_source
from ordersync_cli.venue.credentials import Credentials, KeyFile, KeyPair
from tests.support.venue_kit import KEY_NAME, ecdsa_pem, ed25519_base64, write_key


def load(path: Path) -> Credentials:
    return KeyFile(path).load()


def test_T38_an_ecdsa_key_file_is_read(tmp_path: Path) -> None:
    key = load(write_key(tmp_path / "key.json"))
    assert (key.name, key.algorithm) == (KEY_NAME, "ES256")


@pytest.mark.parametrize("with_public", [True, False])
@pytest.mark.parametrize("field", ["id", "name"])
def test_T38_an_ed25519_key_file_is_read(tmp_path: Path, field: str, with_public: bool) -> None:
    content = {field: "key-1", "privateKey": ed25519_base64(with_public=with_public) + "\n"}
    key = load(write_key(tmp_path / "key.json", content))
    assert (key.name, key.algorithm) == ("key-1", "EdDSA")


@pytest.mark.parametrize("spelling", ["plain", "escaped", "crlf", "quoted", "no end of line"])
def test_T38_a_pem_is_read_as_environment_files_spell_it(spelling: str) -> None:
    pem = ecdsa_pem()
    secret = {
        "plain": pem,
        "escaped": pem.replace("\n", "\\n"),
        "crlf": pem.replace("\n", "\r\n"),
        "quoted": '"' + pem.replace("\n", "\\n") + '"',
        "no end of line": pem.strip(),
    }[spelling]
    assert KeyPair(KEY_NAME, secret).load().algorithm == "ES256"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610])
def test_T38_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_key(tmp_path / "key.json", mode=mode)
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert refused.value.exit_code == 3
    assert f"{mode:o}" in refused.value.message
    assert refused.value.remedy == f"chmod 600 {path}"


def test_T38_a_link_to_a_file_that_others_can_read_is_refused_too(tmp_path: Path) -> None:
    write_key(tmp_path / "open.json", mode=0o644)
    (tmp_path / "key.json").symlink_to(tmp_path / "open.json")
    with pytest.raises(SettingsError, match="read by others"):
        load(tmp_path / "key.json")


def rsa_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def other_curve_pem() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def locked_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    ).decode()


SECRET = "c2VjcmV0LXRoYXQtbXVzdC1uZXZlci1zaG93"
MALFORMED: dict[str, Any] = {
    "empty": "",
    "blank": "  \n",
    "not JSON": SECRET,
    "cut": '{"name": "x", "privateKey": "' + SECRET,
    "a list": [SECRET],
    "no name": {"privateKey": SECRET},
    "a number as name": {"name": 7, "privateKey": SECRET},
    "no key": {"name": SECRET},
    "an empty key": {"name": "x", "privateKey": ""},
    "a key that is an object": {"name": "x", "privateKey": {"d": SECRET}},
    "base64 of another length": {"name": "x", "privateKey": SECRET},
    "no base64": {"name": "x", "privateKey": SECRET + "%%"},
    "a PEM without its first line": {"name": "x", "privateKey": SECRET + "\n-----END EC PRIVATE KEY-----"},
    "a PEM of garbage": {
        "name": "x",
        "privateKey": f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----",
    },
    "an RSA key": {"name": "x", "privateKey": rsa_pem()},
    "another curve": {"name": "x", "privateKey": other_curve_pem()},
    "a locked PEM": {"name": "x", "privateKey": locked_pem()},
    "far too much": {"name": "x", "privateKey": SECRET * 4000},
}


@pytest.mark.parametrize("what", MALFORMED)
def test_T38_a_malformed_key_file_gives_one_line_and_no_secret(tmp_path: Path, what: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(write_key(tmp_path / "key.json", MALFORMED[what]))
    shown = "".join(traceback.format_exception(refused.value)) + refused.value.message + refused.value.remedy
    assert "\n" not in refused.value.message
    assert SECRET not in shown
    assert "PRIVATE KEY" not in shown
    assert refused.value.remedy


def test_a_key_file_that_is_not_there_or_no_file_is_a_settings_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(SettingsError, match=r"cannot be read|not a file"):
            load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_key_file_that_we_may_not_read_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(write_key(tmp_path / "key.json", mode=0o000))


@pytest.mark.parametrize(("name", "secret"), [("", "x"), ("x", ""), (" ", " "), ("x", "nonsense")])
def test_half_a_pair_is_a_settings_error(name: str, secret: str) -> None:
    with pytest.raises(SettingsError):
        key_source(key_name=name, key_secret=secret).load()


def test_nothing_that_holds_a_key_shows_it(tmp_path: Path) -> None:
    pem = ecdsa_pem()
    pair = KeyPair(KEY_NAME, pem)
    for shown in (repr(pair), repr(pair.load()), str(pair.load()), repr(KeyFile(tmp_path))):
        assert "PRIVATE" not in shown
        assert "apiKeys/" not in shown
