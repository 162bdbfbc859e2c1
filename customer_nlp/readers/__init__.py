"""Readers: mailboxes, tables, transcripts and helpdesk payloads to threads.

`read` and `from_helpdesk` are the public face; `row_threads` and `columns_of` do the same for
frames. The modules below, from the bottom:
``_headers`` and ``_mime`` (bytes to values), ``_mail`` (one mail), ``_boxes`` (many), ``_spill``
(what outgrows memory), ``_threading``, ``_roles``, ``_rows``, ``_tables`` (CSV, JSON) and
``_parquet``, ``_helpdesk_tables`` and ``_helpdesk`` (what helpdesks send), ``_kept`` and ``_imap``
(mailboxes on a server), ``_sources`` (which format a path holds).
"""

from __future__ import annotations

from customer_nlp.readers._helpdesk import HELPDESKS, from_helpdesk
from customer_nlp.readers._rejects import OnError
from customer_nlp.readers._rows import FIELDS, columns_of
from customer_nlp.readers._sources import FORMATS, Snapshot, Threads, is_on_server, read
from customer_nlp.readers._tables import row_threads

__all__ = [
    "FIELDS",
    "FORMATS",
    "HELPDESKS",
    "OnError",
    "Snapshot",
    "Threads",
    "columns_of",
    "from_helpdesk",
    "is_on_server",
    "read",
    "row_threads",
]
