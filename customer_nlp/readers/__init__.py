"""Readers: mailboxes, tables, transcripts and helpdesk payloads to threads.

`read` and `from_helpdesk` are the whole public face. The modules below it, from the bottom:
``_headers`` and ``_mime`` (bytes to values), ``_mail`` (one mail), ``_boxes`` (many),
``_threading``, ``_roles``, ``_rows`` and ``_tables`` (CSV, JSON), ``_helpdesk_tables`` and
``_helpdesk`` (what helpdesks send), ``_sources`` (which format a path holds).
"""

from __future__ import annotations

from customer_nlp.readers._helpdesk import HELPDESKS, from_helpdesk
from customer_nlp.readers._sources import FORMATS, read

__all__ = ["FORMATS", "HELPDESKS", "from_helpdesk", "read"]
