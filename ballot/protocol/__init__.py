"""Belenios v1 (as released with 3.3.0), group Ed25519: messages, proofs, tally. Pure: no I/O but what is passed in."""
