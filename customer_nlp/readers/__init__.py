"""Readers: mailboxes, tables and transcripts to threads.

`read` is the whole public face. The modules below it, from the bottom: ``_headers`` and
``_mime`` (bytes to values), ``_mail`` (one mail), ``_boxes`` (many), ``_threading``, ``_roles``,
``_spill`` (what outgrows memory), ``_rows``, ``_tables`` (CSV, JSON) and ``_parquet``, ``_sources``
(which format a path holds).
"""

from __future__ import annotations

from customer_nlp.readers._sources import FORMATS, Threads, read

__all__ = ["FORMATS", "Threads", "read"]
