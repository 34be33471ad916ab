"""Tokens of a GitHub App's installation: made with the App's private key, good for an hour."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from metrics_assets.errors import ConfigurationError
from metrics_assets.sources.errors import Unauthorized, Unavailable

# A token is renewed while it is still good, because a request may wait for its turn.
_RENEW_BEFORE_SECONDS = 300
_TRIES = 4


@dataclass(slots=True)
class AppInstallation:
    """A credential whose token is asked for when it is needed.

    Attributes:
        private_key: PEM of the App's RSA key.
    """

    base_url: str
    app_id: int
    installation: int
    private_key: str = field(repr=False)
    clock: Callable[[], float] = time.time
    _token: str = field(default="", repr=False)
    _expires_at: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def name(self) -> str:
        return f"GitHub App {self.app_id}, installation {self.installation}"

    async def authorization(self) -> str:
        """The header's value; a new token where the last one ends soon.

        Raises:
            Unauthorized: GitHub does not accept the App's key.
            Unavailable: GitHub does not answer.
        """
        async with self._asking:
            if self.clock() > self._expires_at - _RENEW_BEFORE_SECONDS:
                await self._renew()
            return f"Bearer {self._token}"

    async def _renew(self) -> None:
        url = f"{self.base_url}/app/installations/{self.installation}/access_tokens"
        now = self.clock()
        problem = ""
        async with httpx.AsyncClient(timeout=30) as client:
            for attempt in range(_TRIES):
                await asyncio.sleep(attempt)
                try:
                    answer = await client.post(url, headers={"Authorization": f"Bearer {self._jwt(now)}"})
                except httpx.RequestError as error:
                    problem = f"the connection failed ({type(error).__name__})"
                    continue
                if "date" in answer.headers and answer.status_code == 401 and attempt == 0:
                    # The key's signature holds a time: a clock that is off is the likeliest reason.
                    now = _date(answer.headers["date"], now)
                    continue
                if answer.status_code in (401, 403, 404):
                    raise Unauthorized(
                        f"POST {url}: {self.name} was refused ({answer.status_code}); check sources.github.app and "
                        "that the private key is the App's."
                    )
                try:
                    content = answer.json()
                    # How long it lasts is told by the provider's two times; ours may be off.
                    expires = datetime.fromisoformat(content["expires_at"]).timestamp()
                    lasts = expires - _date(answer.headers.get("date", ""), now)
                    self._token, self._expires_at = str(content["token"]), self.clock() + lasts
                    return
                except (ValueError, KeyError, TypeError):
                    problem = f"the answer ({answer.status_code}) holds no token"
        raise Unavailable(f"POST {url}: {problem}, after {_TRIES} tries; run it again later.")

    def _jwt(self, now: float) -> str:
        """A JSON Web Token of the App, signed with RS256 (RFC 7519)."""
        # Heavy, and wanted with an App only.
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{self.name}: the private key is no PEM of an RSA key without a password; download a new one from "
                "the App's settings."
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ConfigurationError(f"{self.name}: the private key is no RSA key; take the one that GitHub made.")
        # GitHub allows ten minutes, and advises to begin a minute ago.
        claims = {"iat": int(now) - 60, "exp": int(now) + 540, "iss": str(self.app_id)}
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


def _part(content: dict[str, Any]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _date(header: str, default: float) -> float:
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError):
        return default
