"""Readers: mailboxes, tables, transcripts and helpdesk payloads to threads.

`read` and `from_helpdesk` are the whole public face. The modules below it, from the bottom:
``_headers`` and ``_mime`` (bytes to values), ``_mail`` (one mail), ``_boxes`` (many), ``_spill``
(what outgrows memory), ``_threading``, ``_roles``, ``_rows``, ``_tables`` (CSV, JSON) and
``_parquet``, ``_helpdesk_tables`` and ``_helpdesk`` (what helpdesks send), ``_sources`` (which
format a path holds).
"""

from __future__ import annotations

from customer_nlp.readers._helpdesk import HELPDESKS, from_helpdesk
from customer_nlp.readers._sources import FORMATS, Threads, read

__all__ = ["FORMATS", "HELPDESKS", "Threads", "from_helpdesk", "read"]
