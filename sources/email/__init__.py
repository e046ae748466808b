"""E-mail: messages with their people, parts and flags, their threads, and what came back undelivered.

A driver reads one kind of server (``imap``: any server of RFC 3501 or RFC 9051) into the streams of :mod:`streams`. The
account needs no right but to read: mailboxes are opened by EXAMINE and bodies fetched by BODY.PEEK, so that nothing is
marked as read. What servers leave open is decided here once: a message's identity is account, mailbox, UIDVALIDITY and
UID; threads are made of References and In-Reply-To, never of subjects; text in a wrong or unknown charset is read as
well as it can be, and the message says so in ``defects``.
"""
