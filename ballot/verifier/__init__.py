"""Reads an archive and repeats every check, with nothing that makes proofs or draws randomness for them."""
