"""mail-devel that delivers to the addresses of the envelope, as mail servers do: those of blind copies are only there.

mail-devel itself delivers to the addresses in the header.
"""

from __future__ import annotations

from datetime import datetime
from email.message import Message

from mail_devel.__main__ import main  # type: ignore[import-untyped]
from mail_devel.smtp import MemoryHandler  # type: ignore[import-untyped]
from pymap.parsing.message import AppendMessage


async def _deliver(handler: MemoryHandler, message: Message) -> None:
    recipients = {each.strip() for each in str(message["X-RcptTo"]).split(",")}
    for name in ("X-RcptTo", "X-MailFrom", "X-Peer", "Bcc"):  # they would give away blind copies
        del message[name]
    flags = handler._convert_flags(handler._default_flags())
    now = datetime.now()  # noqa: DTZ005 - pymap takes local time
    for each in sorted(recipients):
        account = await handler.mailboxes.get(handler.mailboxes.apply_alias(each))
        inbox = await account.get_mailbox("INBOX")
        await inbox.append(AppendMessage(str(message).encode(), now, flags))


if __name__ == "__main__":
    MemoryHandler.handle_message = _deliver
    main()
