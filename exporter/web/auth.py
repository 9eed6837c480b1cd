"""Passwords: checked against bcrypt hashes, off the event loop, one at a time."""

import asyncio
import base64
import binascii
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeVar

import bcrypt

T = TypeVar("T")

CACHED = 100
"""Results kept of each kind, good and bad."""

WAITING = 16
"""Checks that may wait for their turn. Each takes a tenth of a second or longer, by the cost of the hashes."""

_SIGNIFICANT_BYTES = 72
"""bcrypt ignores what comes after; its library refuses it, where others cut it off."""


class Busy(Exception):
    """Too many passwords are waiting to be checked."""


class Passwords:
    """Checks credentials, and remembers the results.

    Passwords are not kept: a result is found again by a keyed hash of user, password and bcrypt hash, whose key is of
    this process alone. A changed hash thus makes a new check. Good and bad results are kept apart, so that wrong
    passwords cannot push out the right one and make every scrape wait.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._results: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def check(self, authorization: str | None, users: Mapping[str, str]) -> bool:
        """Whether an Authorization header has the name and password of one of these users.

        Raises:
            Busy: It cannot be checked now.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        hashed = users.get(user)
        # An unknown user costs what a known one does: the dearest of the hashes is compared, and the result not used.
        compared = hashed or max(users.values(), key=lambda text: text.split("$")[2])
        digest = self._digest(user, password, hashed)
        if (known := self._known(digest)) is not None:
            return known
        if self._waiting >= WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._turn:
                if (known := self._known(digest)) is not None:
                    return known
                matches = await _in_thread(lambda: _matches(password, compared))
        finally:
            self._waiting -= 1
        result = matches and hashed is not None
        self._remember(digest, result)
        return result

    def _digest(self, user: str, password: bytes, hashed: str | None) -> bytes:
        parts = (user.encode("utf-8", "surrogateescape"), password, (hashed or "").encode())
        message = b"".join(len(part).to_bytes(4) + part for part in parts)
        return hmac.digest(self._key, message, "sha256")

    def _known(self, digest: bytes) -> bool | None:
        for result, digests in self._results.items():
            if digest in digests:
                digests.move_to_end(digest)
                return result
        return None

    def _remember(self, digest: bytes, result: bool) -> None:
        digests = self._results[result]
        digests[digest] = None
        while len(digests) > CACHED:
            digests.popitem(last=False)


def _credentials(authorization: str | None) -> tuple[str, bytes] | None:
    """Name and password of an Authorization header, None if it has none."""
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_SIGNIFICANT_BYTES], hashed.encode())
    except ValueError:  # NUL in the password, for some versions of the library
        return False


async def _in_thread(call: Callable[[], T]) -> T:
    """The result of a call in a thread that nobody has to wait for, not even the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # there is a result where there is no error

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, name="password", daemon=True).start()
    return await future
