"""Whose request budget a gateway's requests count against.

Two addresses may lead to one gateway, and several gateways may be logged in as one user; whether the limit is the
gateway's or the user's nobody could confirm. So by default whoever is logged in decides: the first address at which a
user was met names the account wherever that user is met again. That shares one window where there might have been two,
which is safe; a name that is set is taken as it is.

`<prefix>:x:accounts` is a hash: login user id → the account's name.
"""

import logging
from typing import Protocol, cast

from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidKeys
from brokertape.tape.keys import Keys, check_name

logger = logging.getLogger("brokertape.publisher.account")


class Login(Protocol):
    """A gateway, as far as this needs it."""

    @property
    def login_user_id(self) -> int:
        """Who is logged in there; 0 if that is not known."""


class Account:
    """The account of one gateway, and the keys of what is counted for it.

    Args:
        client: The Redis that all share.
        keys: Of the tape.
        gateway: Who is logged in there is known once it has been connected to.
        address: Of the gateway: the account's name as long as nobody has met its user elsewhere.
        name: What the account is called, whoever is logged in.
    """

    def __init__(
        self, client: RedisClient, keys: Keys, gateway: Login, *, address: str, name: str | None = None
    ) -> None:
        self._client = client
        self._key = keys.private("accounts")
        self._keys = keys
        self._gateway = gateway
        self._address = address
        self._is_set = name is not None
        self._name = check_name("account", name or address)
        self._known_user = 0

    async def name(self) -> str:
        """What it is called now: another login at the gateway may make it another account. Raises StoreError."""
        if self._gateway.login_user_id not in (0, self._known_user):
            await self.confirm()
        return self._name

    async def confirm(self) -> str:
        """Its name, made sure of: a Redis that has lost it is told again, before others call it something else.

        Raises StoreError.
        """
        user = self._gateway.login_user_id
        if not self._is_set and user != 0:
            name = await self._agreed(user, self._name if user == self._known_user else await self._free_name(user))
            if name not in (self._address, self._name):
                logger.info("gateway %s shares the request budget of %s: one user is logged in", self._address, name)
            self._name, self._known_user = name, user
        return self._name

    async def polls_key(self) -> str:
        """The window of its requests for broker lists. Raises StoreError."""
        return self._keys.budget(await self.name())

    async def snapshots_key(self) -> str:
        """That of market snapshots, which count apart. Raises StoreError."""
        return self._keys.private(f"snapshots:{await self.name()}")

    async def _agreed(self, user: int, name: str) -> str:
        """What the user's account is called by all: `name` if nobody has met the user yet."""
        with store_errors():
            await self._client.hsetnx(self._key, str(user), name)
            stored = cast("bytes | None", await self._client.hget(self._key, str(user)))
        try:
            return check_name("account", (stored or b"").decode(errors="replace"))
        except InvalidKeys as error:
            logger.warning("%s: %s; %s is used instead", self._key, error, name)
            return name

    async def _free_name(self, user: int) -> str:
        """The address, unless it is what somebody else's account is called who was logged in there before."""
        with store_errors():
            names = cast("dict[bytes, bytes]", await self._client.hgetall(self._key))
        names.pop(str(user).encode(), None)
        return f"{self._address}#{user}" if self._address.encode() in names.values() else self._address
