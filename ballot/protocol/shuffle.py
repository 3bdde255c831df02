"""Shuffles of ranked ciphertexts with proofs (Belenios v1, 4.19 and tables 3 to 16).

Names are the tables': e before, e' after (`e_prime`), ψ the permutation with ψ[i] the old place of the i-th new one, u the
challenges of the first round, c the permutation commitment, ĉ (`c_hat`) the commitment chain. Indices start at 0 here.

Work over the ciphertexts goes through the caller's executor. When shuffling, it carries secret exponents: use threads or
processes of the same machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

from ballot.errors import InvalidShuffleError, MalformedError
from ballot.protocol.group import ONE, G, Point, Q, Rng, get_generator, hash_to_scalar, product
from ballot.protocol.messages import Ciphertext, Election, EncryptedTally, Shuffle, ShuffleProof
from ballot.protocol.parallel import map_chunks, map_items
from ballot.protocol.tally import merge_nh_ciphertexts, nh_ciphertexts

# --- hashes and generators (tables 8 to 16) ---------------------------------------------------------------------------


def _serialize(values: Iterable[Point | Ciphertext]) -> str:
    """⟦·⟧ of table 14: each element (or alpha, comma, beta) followed by a comma."""
    return "".join(f"{value}," for value in values)


def get_nizkp_challenges(count: int, text: str) -> list[int]:
    """GetNIZKPChallenges: one challenge per ciphertext from the hash of the text."""
    prefix = hashlib.sha256(text.encode()).hexdigest()
    return [hash_to_scalar(prefix + hashlib.sha256(str(i).encode()).hexdigest()) for i in range(count)]


def _generators_chunk(indices: Sequence[int]) -> list[Point]:
    return [get_generator(i) for i in indices]


_known_generators: list[Point] = []  # a cache of a pure function: h_0, h_1, … as far as ever needed


def get_generators(count: int, executor: Executor | None = None) -> list[Point]:
    """GetGenerators: h_0 … h_(count-1), derived from nothing but their numbers."""
    known = len(_known_generators)
    if known < count:
        # Taken from `known` again, so that two threads at once write the same values to the same places.
        _known_generators[known:count] = map_items(executor, _generators_chunk, range(known, count))
    return _known_generators[:count]


def get_secondary_generator() -> Point:
    """GetSecondaryGenerator: h."""
    return get_generator(-1)


# --- shuffling (tables 3 to 5) ------------------------------------------------------------------------------------------


def gen_permutation(count: int, rng: Rng) -> list[int]:
    """GenPermutation: uniform among all permutations of 0 … count-1."""
    items = list(range(count))
    permutation = []
    for i in range(count):
        k = i + rng.below(count - i)
        permutation.append(items[k])
        items[k] = items[i]
    return permutation


def _reencrypt_chunk(y: Sequence[Point], alphas: Sequence[Point], betas: Sequence[Point], r: Sequence[int]) -> list[Ciphertext]:
    return [Ciphertext(a * G**k, b * key**k) for key, a, b, k in zip(y, alphas, betas, r, strict=True)]


def gen_shuffle(
    e: Sequence[Ciphertext], y: Point, rng: Rng, executor: Executor | None = None
) -> tuple[list[Ciphertext], list[int], list[int]]:
    """GenShuffle: (e', r', ψ), the re-encrypted and permuted ciphertexts and how they came about."""
    psi = gen_permutation(len(e), rng)
    r_prime = [rng.scalar() for _ in e]
    alphas, betas = [c.alpha for c in e], [c.beta for c in e]
    renewed = map_items(executor, _reencrypt_chunk, [y] * len(e), alphas, betas, r_prime)
    return [renewed[j] for j in psi], r_prime, psi


# --- proving (tables 6, 10, 15) -----------------------------------------------------------------------------------------


def _commit_chunk(h: Sequence[Point], r: Sequence[int]) -> list[Point]:
    return [G**k * generator for generator, k in zip(h, r, strict=True)]


def _two_base_chunk(h: Sequence[Point], a: Sequence[int], b: Sequence[int]) -> list[Point]:
    return [G**x * base**y for base, x, y in zip(h, a, b, strict=True)]


def _power_products_chunk(exponents: Sequence[int], *columns: Sequence[Point]) -> list[Point]:
    """For each column, the product of its elements raised to the exponents."""
    return [product(p**k for p, k in zip(column, exponents, strict=True)) for column in columns]


def _power_products(executor: Executor | None, exponents: Sequence[int], *columns: Sequence[Point]) -> list[Point]:
    totals = [ONE] * len(columns)
    for part in map_chunks(executor, _power_products_chunk, exponents, *columns):
        totals = [total * value for total, value in zip(totals, part, strict=True)]
    return totals


def gen_shuffle_proof(
    e: Sequence[Ciphertext],
    e_prime: Sequence[Ciphertext],
    r_prime: Sequence[int],
    psi: Sequence[int],
    pk: Point,
    fingerprint: str,
    rng: Rng,
    executor: Executor | None = None,
) -> ShuffleProof:
    """GenShuffleProof: a proof that e' is e, re-encrypted with r' and permuted by ψ."""
    n = len(e)
    h, generators = get_secondary_generator(), get_generators(n, executor)

    # GenPermutationCommitment: c_(j_i) = g^(r_(j_i)) h_i.
    r = [rng.scalar() for _ in range(n)]
    c: list[Point] = [ONE] * n
    for j, value in zip(psi, map_items(executor, _commit_chunk, generators, [r[j] for j in psi]), strict=True):
        c[j] = value

    str_c = _serialize(e) + _serialize(e_prime) + _serialize(c)
    u = get_nizkp_challenges(n, f"shuffle-challenges|{fingerprint}|{str_c}")
    u_prime = [u[j] for j in psi]

    # GenCommitmentChain: ĉ_i = g^(r̂_i) ĉ_(i-1)^(u'_i), ĉ_(-1) = h. Knowing all exponents, every link is computed at once
    # as g^(a_i) h^(b_i), and so is the commitment to the next one.
    r_hat = [rng.scalar() for _ in range(n)]
    a, b = [0], [1]
    for r_i, u_i in zip(r_hat, u_prime, strict=True):
        a.append((r_i + u_i * a[-1]) % Q)
        b.append(u_i * b[-1] % Q)
    omega = [rng.scalar() for _ in range(4)]
    omega_hat = [rng.scalar() for _ in range(n)]
    omega_prime = [rng.scalar() for _ in range(n)]
    chain = map_items(
        executor,
        _two_base_chunk,
        [h] * (2 * n),
        a[1:] + [(w_hat + w * a_i) % Q for w_hat, w, a_i in zip(omega_hat, omega_prime, a, strict=False)],
        b[1:] + [w * b_i % Q for w, b_i in zip(omega_prime, b, strict=False)],
    )
    c_hat, t_hat = chain[:n], chain[n:]

    powers_h, powers_beta, powers_alpha = _power_products(
        executor, omega_prime, generators, [x.beta for x in e_prime], [x.alpha for x in e_prime]
    )
    t1, t2, t3 = G ** omega[0], G ** omega[1], G ** omega[2] * powers_h
    t41, t42 = pk ** -omega[3] * powers_beta, G ** -omega[3] * powers_alpha

    challenge = _challenge(fingerprint, (t1, t2, t3, t41, t42), t_hat, str_c, c_hat, pk)

    v = [1] * n
    for i in range(n - 2, -1, -1):
        v[i] = u_prime[i + 1] * v[i + 1] % Q
    s1 = omega[0] + challenge * sum(r)
    s2 = omega[1] + challenge * sum(x * y for x, y in zip(r_hat, v, strict=True))
    s3 = omega[2] + challenge * sum(x * y for x, y in zip(r, u, strict=True))
    s4 = omega[3] + challenge * sum(x * y for x, y in zip(r_prime, u, strict=True))
    s_hat = tuple((w + challenge * x) % Q for w, x in zip(omega_hat, r_hat, strict=True))
    s_prime = tuple((w + challenge * x) % Q for w, x in zip(omega_prime, u_prime, strict=True))
    return ShuffleProof(
        (t1, t2, t3, (t41, t42), tuple(t_hat)), (s1 % Q, s2 % Q, s3 % Q, s4 % Q, s_hat, s_prime), tuple(c), tuple(c_hat)
    )


def _challenge(
    fingerprint: str, t: Sequence[Point], t_hat: Sequence[Point], str_c: str, c_hat: Sequence[Point], pk: Point
) -> int:
    return hash_to_scalar(f"shuffle-challenge|{fingerprint}|{_serialize(t)}{_serialize(t_hat)}{str_c}{_serialize(c_hat)}{pk}")


# --- checking (table 7) -----------------------------------------------------------------------------------------------------


def _check_chunk(
    minus_c: Sequence[int],
    u: Sequence[int],
    s_prime: Sequence[int],
    s_hat: Sequence[int],
    c: Sequence[Point],
    alpha: Sequence[Point],
    beta: Sequence[Point],
    h: Sequence[Point],
    alpha_prime: Sequence[Point],
    beta_prime: Sequence[Point],
    c_hat: Sequence[Point],
    c_hat_before: Sequence[Point],
    t_hat: Sequence[Point],
) -> tuple[int | None, list[Point]]:
    """The first place at which the chain fails (None: nowhere), and the chunk's share of each product."""
    wrong = None
    for i, t in enumerate(t_hat):
        if t != c_hat[i] ** minus_c[i] * G ** s_hat[i] * c_hat_before[i] ** s_prime[i]:
            wrong = i
            break
    products = [product(c), product(h)]
    products += _power_products_chunk(u, c, alpha, beta) + _power_products_chunk(s_prime, h, alpha_prime, beta_prime)
    return wrong, products


def _check_challenges(
    proof: ShuffleProof, e: Sequence[Ciphertext], e_prime: Sequence[Ciphertext], pk: Point, fingerprint: str
) -> tuple[list[int], int]:
    """The u and the challenge, from their hashes. Raises: InvalidShuffleError if the shapes differ."""
    n = len(e)
    t1, t2, t3, (t41, t42), t_hat = proof.t
    _, _, _, _, s_hat, s_prime = proof.s
    if not n or any(len(values) != n for values in (e_prime, t_hat, s_hat, s_prime, proof.c, proof.c_hat)):
        raise InvalidShuffleError("a shuffle or its proof has another length than the ciphertexts it starts from")
    str_c = _serialize(e) + _serialize(e_prime) + _serialize(proof.c)
    u = get_nizkp_challenges(n, f"shuffle-challenges|{fingerprint}|{str_c}")
    return u, _challenge(fingerprint, (t1, t2, t3, t41, t42), t_hat, str_c, proof.c_hat, pk)


def _product_of_all(u: Iterable[int]) -> int:
    result = 1
    for u_i in u:
        result = result * u_i % Q
    return result


def check_shuffle_proof(
    proof: ShuffleProof,
    e: Sequence[Ciphertext],
    e_prime: Sequence[Ciphertext],
    pk: Point,
    fingerprint: str,
    executor: Executor | None = None,
) -> None:
    """CheckShuffleProof: e' holds the same plaintexts as e, in an order that only the prover knows.

    Raises: InvalidShuffleError if the shapes differ or an equation of the proof fails.
    """
    n = len(e)
    t1, t2, t3, (t41, t42), t_hat = proof.t
    s1, s2, s3, s4, s_hat, s_prime = proof.s
    c, c_hat = proof.c, proof.c_hat
    u, challenge = _check_challenges(proof, e, e_prime, pk, fingerprint)
    minus_c = -challenge % Q
    h, generators = get_secondary_generator(), get_generators(n, executor)

    totals = [ONE] * 8
    links_hold = True
    chunks = map_chunks(
        executor,
        _check_chunk,
        [minus_c] * n,
        u,
        s_prime,
        s_hat,
        c,
        [x.alpha for x in e],
        [x.beta for x in e],
        generators,
        [x.alpha for x in e_prime],
        [x.beta for x in e_prime],
        c_hat,
        (h, *c_hat[:-1]),
        t_hat,
    )
    for wrong, products in chunks:
        links_hold = links_hold and wrong is None
        totals = [total * value for total, value in zip(totals, products, strict=True)]
    product_c, product_h, c_tilde, alpha_u, beta_u, h_s, alpha_s, beta_s = totals

    c_bar = product_c / product_h
    c_end = c_hat[-1] / h ** _product_of_all(u)
    equations = {
        "t1": t1 == c_bar**minus_c * G**s1,
        "t2": t2 == c_end**minus_c * G**s2,
        "t3": t3 == c_tilde**minus_c * G**s3 * h_s,
        "t4.1": t41 == beta_u**minus_c * pk**-s4 * beta_s,
        "t4.2": t42 == alpha_u**minus_c * G**-s4 * alpha_s,
        "t̂": links_hold,
    }
    failed = [name for name, holds in equations.items() if not holds]
    if failed:
        raise InvalidShuffleError(f"the proof of a shuffle does not hold (equation {', '.join(failed)})")


# --- checking many proofs at once ---------------------------------------------------------------------------------------------
#
# Every equation of table 7 can be written as "a product of powers is 1". Raise each to a random exponent of its own and
# multiply them all. If every equation holds, the outcome is 1. If one does not, the outcome is 1 for one in q values of its
# exponent, because all points are in the group and its order q is prime; nobody knows the exponents beforehand. In the one
# product each generator, and each ciphertext between two shuffles, occurs once: 18 powers instead of 24 for each ciphertext
# of three shuffles.


class _OneProduct:
    """Equations of the form "this product of powers is 1", gathered into one."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._exponents: dict[Point, int] = {}

    def equation(self, *powers: tuple[Point, int]) -> None:
        """Add the equation that these powers multiply to 1."""
        weight = self._rng.scalar()
        for point, exponent in powers:
            self._exponents[point] = (self._exponents.get(point, 0) + weight * exponent) % Q

    def holds(self, executor: Executor | None) -> bool:
        """Whether all equations hold. Raises: MalformedError for a point outside the group, as every point is raised to a power."""
        (total,) = _power_products(executor, list(self._exponents.values()), list(self._exponents))
        return total == ONE


def _gather(
    one: _OneProduct, proof: ShuffleProof, e: Sequence[Ciphertext], e_prime: Sequence[Ciphertext], pk: Point, fingerprint: str
) -> None:
    """The equations of `check_shuffle_proof`, in its order, each with its left side brought over."""
    u, x = _check_challenges(proof, e, e_prime, pk, fingerprint)
    t1, t2, t3, (t41, t42), t_hat = proof.t
    s1, s2, s3, s4, s_hat, s_prime = proof.s
    c, c_hat, h, generators = proof.c, proof.c_hat, get_secondary_generator(), get_generators(len(e))

    one.equation((t1, -1), *((c_i, -x) for c_i in c), *((h_i, x) for h_i in generators), (G, s1))
    one.equation((t2, -1), (c_hat[-1], -x), (h, x * _product_of_all(u)), (G, s2))
    one.equation((t3, -1), *((c_i, -x * u_i) for c_i, u_i in zip(c, u, strict=True)), (G, s3), *zip(generators, s_prime, strict=True))
    for t4, base, before, after in (
        (t41, pk, [b.beta for b in e], [b.beta for b in e_prime]),
        (t42, G, [a.alpha for a in e], [a.alpha for a in e_prime]),
    ):
        one.equation(
            (t4, -1), *((p, -x * u_i) for p, u_i in zip(before, u, strict=True)), (base, -s4), *zip(after, s_prime, strict=True)
        )
    for t, link, s_link, link_before, s_before in zip(t_hat, c_hat, s_hat, (h, *c_hat[:-1]), s_prime, strict=True):
        one.equation((t, -1), (link, -x), (G, s_link), (link_before, s_before))


def shuffles_hold(
    election: Election, tally: EncryptedTally, shuffles: Sequence[Shuffle], rng: Rng, executor: Executor | None = None
) -> bool:
    """Whether these shuffles, one after the other from this tally on, all hold. `rng` must be nobody's to foretell.

    False says that something is wrong and not what: `check_shuffle` of each in turn does. The shuffles may be
    `DeferredShuffle`s: True says that all their points are in the group.
    """
    one, pk = _OneProduct(rng), election.public_key
    try:
        for shuffle in shuffles:
            before = nh_ciphertexts(election, tally)
            if not before or not len(before) == len(shuffle.ciphertexts) == len(shuffle.proofs):
                return False
            get_generators(max(map(len, before)), executor)
            for e, e_prime, proof in zip(before, shuffle.ciphertexts, shuffle.proofs, strict=True):
                _gather(one, proof, e, e_prime, pk, election.fingerprint)
            tally = merge_nh_ciphertexts(election, tally, shuffle.ciphertexts)
        return one.holds(executor)
    except (InvalidShuffleError, MalformedError):
        return False


# --- whole shuffles ---------------------------------------------------------------------------------------------------------


def shuffle_tally(election: Election, tally: EncryptedTally, rng: Rng, executor: Executor | None = None) -> Shuffle:
    """Shuffle every ranked question of a tally, in which earlier shuffles are merged already."""
    rows, proofs = [], []
    for e in nh_ciphertexts(election, tally):
        e_prime, r_prime, psi = gen_shuffle(e, election.public_key, rng, executor)
        proofs.append(gen_shuffle_proof(e, e_prime, r_prime, psi, election.public_key, election.fingerprint, rng, executor))
        rows.append(tuple(e_prime))
    return Shuffle(tuple(rows), tuple(proofs))


def check_shuffle(
    election: Election, tally: EncryptedTally, shuffle: Shuffle, *, owner: int | None = None, executor: Executor | None = None
) -> None:
    """Check one trustee's shuffle of a tally in which earlier shuffles are merged already.

    Raises: InvalidShuffleError; `.blame` names the trustee if `owner` is given.
    """
    before = nh_ciphertexts(election, tally)
    try:
        if not before or not len(before) == len(shuffle.ciphertexts) == len(shuffle.proofs):
            raise InvalidShuffleError("a shuffle does not have one list of ciphertexts and one proof per ranked question")
        for e, e_prime, proof in zip(before, shuffle.ciphertexts, shuffle.proofs, strict=True):
            check_shuffle_proof(proof, e, e_prime, election.public_key, election.fingerprint, executor)
    except InvalidShuffleError as error:
        error.blame = None if owner is None else f"trustee {owner}"
        raise
