"""ElGamal encryption in the group (Belenios v1, 4.11): multiplying ciphertexts multiplies what they hide."""

from __future__ import annotations

from collections.abc import Iterable

from ballot.protocol.group import G, Point, product, small_power
from ballot.protocol.messages import Ciphertext


def encrypt(key: Point, element: Point, r: int) -> Ciphertext:
    """Encrypt a group element: (g^r, y^r · element)."""
    return Ciphertext(G**r, key**r * element)


def encrypt_integer(key: Point, m: int, r: int) -> Ciphertext:
    """Encrypt a small integer in the exponent: (g^r, y^r · g^m), so that products hide sums."""
    return encrypt(key, small_power(m), r)


def reencrypt(key: Point, ciphertext: Ciphertext, r: int) -> Ciphertext:
    """Another ciphertext of the same plaintext, unlinkable to the first without r."""
    return Ciphertext(ciphertext.alpha * G**r, ciphertext.beta * key**r)


def combine(ciphertexts: Iterable[Ciphertext]) -> Ciphertext:
    """The product of ciphertexts, by component: it hides the product of the elements, or the sum of the integers."""
    ciphertexts = tuple(ciphertexts)
    return Ciphertext(product(c.alpha for c in ciphertexts), product(c.beta for c in ciphertexts))


def decrypt(secret: int, ciphertext: Ciphertext) -> Point:
    """The element that was encrypted with g^secret as the key."""
    return ciphertext.beta / ciphertext.alpha**secret
