"""The group: strict text form, arithmetic, embedding. Source: text 5.2.1, threats 1.4."""

from collections.abc import Callable
from copy import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.errors import MalformedError
from ballot.protocol.group import (
    MAX_INTS,
    ONE,
    G,
    P,
    Point,
    Q,
    SeededRng,
    get_generator,
    is_encoding_of,
    of_ints,
    product,
    scalar_from_text,
    to_ints,
)  # fmt: skip

# The eight points of small order in every encoding that names them, canonical or not (y and y + p, both signs).
ORDER_EIGHT_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER_Y = (0, 1, P - 1, P, P + 1, ORDER_EIGHT_Y, P - ORDER_EIGHT_Y)
SMALL_ORDER = [y | sign << 255 for y in SMALL_ORDER_Y for sign in (0, 1)]


@pytest.mark.parametrize("z", [z for z in SMALL_ORDER if z != 1], ids=lambda z: f"{z:064x}"[:12])
def test_no_encoding_of_a_small_order_point_is_accepted(z: int) -> None:
    with pytest.raises(MalformedError):
        Point.from_hex(f"{z:064x}")


def test_the_neutral_element_has_one_text_form() -> None:
    assert Point.from_hex(f"{1:064x}").is_neutral
    assert f"{1:064x}" == str(ONE)


def test_a_point_outside_the_prime_order_subgroup_is_refused() -> None:
    from nacl.bindings import crypto_core_ed25519_add

    order_two = (P - 1).to_bytes(32, "little")
    mixed = crypto_core_ed25519_add(bytes(G), order_two)
    with pytest.raises(MalformedError, match="prime-order"):
        Point.from_hex(mixed[::-1].hex())


def _outside() -> list[str]:
    """Texts of points that are no canonical member: small order, plus a torsion point of each order, off the curve."""
    from nacl.bindings import crypto_core_ed25519_add

    torsion = [P - 1, 0, ORDER_EIGHT_Y]
    mixed = [crypto_core_ed25519_add(bytes(G**5), z.to_bytes(32, "little"))[::-1].hex() for z in torsion]
    return [f"{z:064x}" for z in (*SMALL_ORDER, 2, 2**256 - 1) if z != 1] + mixed


USES = {
    "times": lambda p: p * G,
    "times, on the right": lambda p: G * p,
    "over": lambda p: p / G,
    "over, on the right": lambda p: G / p,
    "to the 0": lambda p: p**0,
    "to the 1": lambda p: p**1,
    "to the 2": lambda p: p**2,
    "to the 8": lambda p: p**8,
    "to the -1": lambda p: p**-1,
    "to the q": lambda p: p**Q,
    "to the q + 1": lambda p: p ** (Q + 1),
    "product": lambda p: product([p, G]),
    "sent to another process": lambda p: copy(p) ** 3,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_nothing_is_computed_from_a_deferred_point_outside_the_group(use: Callable[[Point], Point]) -> None:
    for text in _outside():
        point = Point.from_hex_deferred(text)
        for _ in range(2):  # a refusal does not turn it into a member
            with pytest.raises(MalformedError, match="prime-order"):
                use(point)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_deferred_point_of_the_group_is_the_same_point(use: Callable[[Point], Point]) -> None:
    for point in (G**5, G, ONE):
        deferred = Point.from_hex_deferred(str(point))
        assert (point, str(point), hash(point)) == (deferred, str(deferred), hash(deferred))
        assert use(point) == use(deferred)


def test_a_point_that_is_sent_elsewhere_keeps_what_is_known_of_its_membership() -> None:
    # copy() rebuilds by the same __reduce__ as pickle.
    deferred = Point.from_hex_deferred(str(G**5))
    assert not copy(deferred)._member
    assert deferred**7 == G**35
    assert copy(deferred)._member
    assert copy(G**5)._member


@pytest.mark.parametrize("text", ["", "6" * 63, "6" * 65, "A" * 64, " " + "6" * 63, "٦" * 64, "6" * 62 + "5g", "0x" + "6" * 62, None, 7])
def test_a_point_that_is_not_64_lower_case_digits_is_refused(text: object) -> None:
    with pytest.raises(MalformedError):
        Point.from_hex(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "00", "01", "-1", "+1", "1_0", " 1", "1\n", "١", str(Q), "9" * 90, "1e3", 5])
def test_a_scalar_that_is_not_in_shortest_form_below_q_is_refused(text: object) -> None:
    with pytest.raises(MalformedError):
        scalar_from_text(text)  # type: ignore[arg-type]


def test_the_largest_scalar_is_accepted() -> None:
    assert Q - 1 == scalar_from_text(str(Q - 1))


scalars = st.integers(min_value=0, max_value=Q - 1)


@given(scalars, scalars)
def test_exponents_add(a: int, b: int) -> None:
    assert G ** (a + b) == G**a * G**b
    assert G ** (a - b) == G**a / G**b


@given(scalars)
def test_a_point_survives_its_text_form(a: int) -> None:
    assert G**a == Point.from_hex(str(G**a))


def test_corner_exponents() -> None:
    h = get_generator(3)
    assert ONE == h**0 == h**Q == ONE**5
    assert h == h**1 == h ** (Q + 1)
    assert ONE == h * h**-1 == h / h == product([])
    assert h * h * G == product([h, G, h])


@given(st.lists(st.integers(min_value=0, max_value=255), max_size=MAX_INTS))
def test_embedded_integers_come_back(values: list[int]) -> None:
    point = of_ints(values)
    assert values == to_ints(len(values), point)
    assert is_encoding_of(len(values), point)
    Point.from_hex(str(point))


def test_a_random_point_encodes_nothing() -> None:
    assert not is_encoding_of(3, G ** SeededRng(b"x").scalar())


@pytest.mark.parametrize("values", [[256], [-1], [0] * 31])
def test_integers_that_do_not_fit_are_refused(values: list[int]) -> None:
    with pytest.raises(MalformedError):
        of_ints(values)


def test_derived_generators_are_distinct_and_fixed() -> None:
    generators = [get_generator(i) for i in range(-1, 200)]
    assert 201 == len({*generators})
    assert not {ONE, G} & set(generators)
    # Derived by hand from table 14: SHA-256("ggen|0") shifted, raised to 8.
    assert "c95c81b40c41366b2e62e68fec3c5fa4dbb93f0c3c242ac2fe7a07c0e0fd92fe" == str(get_generator(0))
