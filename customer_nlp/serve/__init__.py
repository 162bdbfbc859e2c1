"""The edge to helpdesks over HTTP: who sent a delivery, and whether it is new."""

from __future__ import annotations

from customer_nlp.serve._verify import Delivery, Handshake, Secrets, handshake, verify

__all__ = ["Delivery", "Handshake", "Secrets", "handshake", "verify"]
