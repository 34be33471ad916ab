"""Checks the JSON Web Tokens with which a GitHub App asks for an installation's token (RS256)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from typing import Any

LONGEST_SECONDS = 600  # that GitHub lets such a token live
SLACK_SECONDS = 60
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # of RSASSA-PKCS1-v1_5 (RFC 8017)


class BadTokenError(Exception):
    """The token is refused; the message is GitHub's."""


def check(token: str, clock: float, public_key: str | None = None) -> dict[str, Any]:
    """The claims of a token that is in order.

    Its times may be by the real clock or by `clock` (the server's `Date`), both in seconds since 1970. Without a
    public key (PEM) only the form of the signature is looked at.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise BadTokenError("A JSON web token could not be decoded")
    try:
        head, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except (ValueError, binascii.Error) as error:
        raise BadTokenError("A JSON web token could not be decoded") from error
    if not isinstance(head, dict) or not isinstance(claims, dict) or head.get("alg") != "RS256" or not signature:
        raise BadTokenError("A JSON web token could not be decoded")
    if not claims.get("iss"):
        raise BadTokenError("Missing 'issuer' claim ('iss') in assertion")
    expires = claims.get("exp")
    if not isinstance(expires, int | float):
        raise BadTokenError("'Expiration time' claim ('exp') must be a numeric value representing the future time")
    left = [expires - now for now in (time.time(), clock)]
    if not any(0 < seconds <= LONGEST_SECONDS + SLACK_SECONDS for seconds in left):
        raise BadTokenError("'Expiration time' claim ('exp') is too far in the future or in the past")
    if public_key is not None and not verified(".".join(parts[:2]).encode(), signature, public_key):
        raise BadTokenError("A JSON web token could not be decoded")
    return claims


def verified(content: bytes, signature: bytes, public_key: str) -> bool:
    """Whether an RS256 signature is that of the key's owner."""
    modulus, exponent = rsa_numbers(public_key)
    size = (modulus.bit_length() + 7) // 8
    digest = SHA256_PREFIX + hashlib.sha256(content).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(signature, "big"), exponent, modulus) == int.from_bytes(expected, "big")


def rsa_numbers(public_key: str) -> tuple[int, int]:
    """Modulus and exponent of an RSA public key in PEM, either of its two forms (PKCS #1 and SubjectPublicKeyInfo)."""
    lines = [line.strip() for line in public_key.strip().splitlines() if "-----" not in line]
    items = _sequence(base64.b64decode("".join(lines)))
    if items[0][0] == 0x30:  # an algorithm comes first, then the key as a string of bits
        items = _sequence(items[1][1][1:])
    return int.from_bytes(items[0][1], "big"), int.from_bytes(items[1][1], "big")


def _sequence(der: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents inside a DER sequence."""
    (_, content), _ = _item(der)
    found = []
    while content:
        item, content = _item(content)
        found.append(item)
    return found


def _item(der: bytes) -> tuple[tuple[int, bytes], bytes]:
    """The first item of DER bytes, and what follows it."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return (der[0], der[start : start + length]), der[start + length :]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
