"""Encryption (4.11) as properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ballot.protocol import elgamal
from ballot.protocol.group import ONE, G, Q, product

scalars = st.integers(0, Q - 1)
elements = scalars.map(lambda x: G**x)


@given(scalars, elements, scalars)
def test_decryption_gives_back_what_was_encrypted(secret: int, element: object, r: int) -> None:
    assert element == elgamal.decrypt(secret, elgamal.encrypt(G**secret, element, r))


@given(scalars, elements, scalars, scalars)
def test_encrypting_again_keeps_the_content_and_changes_the_looks(secret: int, element: object, r: int, r2: int) -> None:
    first = elgamal.encrypt(G**secret, element, r)
    second = elgamal.reencrypt(G**secret, first, r2)
    assert element == elgamal.decrypt(secret, second)
    assert (r2 == 0) == (first.alpha == second.alpha)
    assert elgamal.encrypt(G**secret, element, r + r2) == second


@given(scalars, st.lists(st.tuples(elements, scalars), max_size=5))
def test_a_product_of_ciphertexts_hides_the_product(secret: int, parts: list[tuple[object, int]]) -> None:
    whole = elgamal.combine(elgamal.encrypt(G**secret, element, r) for element, r in parts)
    assert product(element for element, _ in parts) == elgamal.decrypt(secret, whole)


@given(scalars, st.lists(st.tuples(st.integers(0, 1), scalars), min_size=1, max_size=5))
def test_a_product_of_encrypted_integers_hides_their_sum(secret: int, parts: list[tuple[int, int]]) -> None:
    whole = elgamal.combine(elgamal.encrypt_integer(G**secret, m, r) for m, r in parts)
    assert G ** sum(m for m, _ in parts) == elgamal.decrypt(secret, whole)


def test_nothing_combined_is_neutral() -> None:
    nothing = elgamal.combine([])
    assert (ONE, ONE) == (nothing.alpha, nothing.beta)
