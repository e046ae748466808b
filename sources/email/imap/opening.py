"""Sessions of many accounts, signed in a few ahead: servers take their time to greet and to check a password."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from leat.sources.email.imap.session import Address, Session

AHEAD = 8


def open_session(integration: str, account: str, address: Address, password: str) -> Session:
    """Connect and sign in.

    Raises:
        IntegrationError: the server can't be reached or refuses.
    """
    session = Session(integration, account, address)
    try:
        session.sign_in(password)
    except BaseException:
        session.close()
        raise
    return session


def sessions_of(integration: str, address: Address, accounts: Mapping[str, str]) -> Iterator[Session]:
    """Yield a session for each account in turn, and close it afterwards.

    The first one is opened alone, so a wrong server or password costs one attempt.
    """
    with ThreadPoolExecutor(AHEAD, "sign-in") as pool:
        left = deque(accounts.items())
        waiting: deque[Future[Session]] = deque()
        try:
            for number in range(len(accounts)):
                for _ in range(min(len(left), 1 if number == 0 else AHEAD - len(waiting))):
                    account, password = left.popleft()
                    waiting.append(pool.submit(open_session, integration, account, address, password))
                with waiting.popleft().result() as session:
                    yield session
        finally:
            for future in waiting:
                if not future.cancel() and future.exception() is None:
                    future.result().close()
