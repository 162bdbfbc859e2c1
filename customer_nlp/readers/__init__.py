"""Readers: mailboxes, tables and transcripts to threads.

`read` is the whole public face. The modules below it, from the bottom: ``_headers`` and
``_mime`` (bytes to values), ``_mail`` (one mail), ``_boxes`` (many), ``_threading``, ``_roles``,
``_rows`` and ``_tables`` (CSV, JSON), ``_sources`` (which format a path holds).
"""

from __future__ import annotations

from customer_nlp.readers._sources import FORMATS, read

__all__ = ["FORMATS", "read"]
