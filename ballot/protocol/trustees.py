"""Trustees' keys (Belenios v1, 4.5 to 4.7): single keys, and the threshold key ceremony after Pedersen.

The ceremony has six steps; steps 1, 3 and 5 are acts of each holder, steps 2, 4 and 6 of the server between them:

    1  make_certificate             each holder, from a fresh seed
    2  check_certificates           the server, and every holder again before acting
    3  make_polynomial              each holder
    4  make_vinputs                 the server checks and routes what the holders sent each other
    5  make_voutput                 each holder checks what all the others sent, and has a key share
    6  make_threshold_parameters    the server

Owners are numbered 1, 2, … over all items of the `trustees` structure in order, a group's members one after another.
Randomness is passed in. Whoever is at fault is named in `.blame` as `trustee N`, in a ceremony by the place in the group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from ballot.errors import InvalidProofError, InvalidTrusteeError, MalformedError, NotSupportedError
from ballot.protocol.group import GROUP_NAME, G, Point, Q, Rng, product
from ballot.protocol.messages import (
    CertKeys,
    Certs,
    ChannelMsg,
    Context,
    EncryptedMsg,
    PartialDecryptionKey,
    Polynomial,
    Proof,
    RawCoefexps,
    RawPolynomial,
    Secret,
    SignedMsg,
    ThresholdParameters,
    TrusteePublicKey,
    Trustees,
    Vinput,
    Voutput,
)
from ballot.protocol.proofs import check_exponent, check_possession, prove_exponent, prove_possession

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SEED_LENGTH: Final = 22
_AES_GCM: Final = "AES-GCM"
MAX_GROUP: Final = 100  # members; far above any use, so that a hostile message cannot keep us busy


# --- 4.5 single keys ---------------------------------------------------------------------------------------------------


def make_public_key(private_key: int, rng: Rng, *, name: str | None = None) -> TrusteePublicKey:
    """The public key g^x of a private key, with a proof of knowing it."""
    return TrusteePublicKey(prove_possession(private_key, rng), G**private_key, name=name)


def check_public_key(key: TrusteePublicKey, *, owner: int) -> None:
    """Check that whoever published this key knew its private key. Raises: InvalidTrusteeError."""
    try:
        check_possession(key.public_key, key.pok)
    except InvalidProofError as error:
        raise InvalidTrusteeError(f"key-holder {owner}'s proof of possession does not hold", blame=f"trustee {owner}") from error


# --- possession, asked for again before the close (not of v1) ------------------------------------------------------------


def possession_statement(election_uuid: str, owner: int, nonce: str) -> str:
    """What a proof of possession for a site is over: this election, this owner, and the site's nonce."""
    return f"ballot-possession:1|{election_uuid}|{owner}|{nonce}"


# --- 4.6.1 the ceremony's own signatures and encryption ------------------------------------------------------------------


def _sha256_int(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % Q


@dataclass(frozen=True)
class PkiKeys:
    """The four keys of one seed: to sign and verify, to decrypt and encrypt."""

    signing: int
    decryption: int
    verification: Point
    encryption: Point

    def __repr__(self) -> str:
        return f"<PkiKeys {self.verification!r}>"  # never the secret ones

    @classmethod
    def from_seed(cls, seed: str) -> PkiKeys:
        """Derive the keys of a seed of 22 Base58 characters. Raises: MalformedError."""
        if len(seed) != _SEED_LENGTH or any(c not in _BASE58 for c in seed):
            raise MalformedError("a seed must be 22 Base58 characters")
        signing, decryption = _sha256_int(f"sk|{seed}"), _sha256_int(f"dk|{seed}")
        return cls(signing, decryption, G**signing, G**decryption)


def gen_seed(rng: Rng) -> str:
    """A fresh seed of 22 Base58 characters."""
    return "".join(_BASE58[rng.below(58)] for _ in range(_SEED_LENGTH))


def _sign(signing: int, text: str, rng: Rng) -> Proof:
    return prove_exponent(f"sigmsg|{text}", signing, rng)


def _check_signature(verification: Point, text: str, signature: Proof, *, holder: int, what: str) -> None:
    try:
        check_exponent(f"sigmsg|{text}", verification, signature)
    except InvalidProofError as error:
        raise InvalidTrusteeError(f"key-holder {holder}'s signature of {what} does not hold", blame=f"trustee {holder}") from error


def _signed(signing: int, text: str, rng: Rng) -> SignedMsg:
    return SignedMsg(text, _sign(signing, text, rng))


def encrypt_message(encryption: Point, text: str, rng: Rng) -> str:
    """Seal a text to an encryption key; a serialized `encrypted_msg`."""
    r, s = rng.scalar(), rng.scalar()
    alpha, shared = G**r, G**s
    key, nonce = _symmetric(shared, alpha)
    data = AESGCM(key).encrypt(nonce, text.encode(), None).hex()
    return EncryptedMsg(alpha, encryption**r * shared, data, _AES_GCM).to_bytes().decode()


def _symmetric(shared: Point, alpha: Point) -> tuple[bytes, bytes]:
    return hashlib.sha256(f"key|{shared}".encode()).digest(), hashlib.sha256(f"iv|{alpha}".encode()).digest()


def decrypt_message(decryption: int, sealed: str) -> str:
    """Open what `encrypt_message` sealed, or what Belenios 3.0 did (no `algorithm`: AES-CCM; see DIVERGENCES.md).

    Raises: MalformedError if it is not sealed to this key, or was changed.
    """
    message = EncryptedMsg.parse(sealed.encode())
    key, nonce = _symmetric(message.beta / message.alpha**decryption, message.alpha)
    try:
        data = bytes.fromhex(message.data)
        if message.algorithm == _AES_GCM:
            return AESGCM(key).decrypt(nonce, data, None).decode()
        if message.algorithm is None:
            return AESCCM(key, tag_length=8).decrypt(nonce[:13], data, None).decode()
    except (InvalidTag, ValueError) as error:
        raise MalformedError("a sealed message is not for this key, or was changed on its way") from error
    raise NotSupportedError(f"a sealed message uses an unknown algorithm, {message.algorithm[:20]!r}")


def send(signing: int, recipient: Point, text: str, rng: Rng) -> str:
    """4.6.3: sign a text for a recipient, and seal it to them."""
    inner = ChannelMsg(recipient, text).to_bytes().decode()
    return encrypt_message(recipient, _signed(signing, inner, rng).to_bytes().decode(), rng)


def receive(keys: PkiKeys, sender: Point, sealed: str, *, holder: int, what: str) -> str:
    """Open a text that `send` made, and check that it is from `sender` and for us.

    Raises: InvalidTrusteeError blaming `holder`, the sender's place.
    """
    try:
        signed = SignedMsg.parse(decrypt_message(keys.decryption, sealed).encode())
        inner = ChannelMsg.parse(signed.message.encode())
    except MalformedError as error:
        raise InvalidTrusteeError(f"key-holder {holder} sent {what} that cannot be opened: {error}", blame=f"trustee {holder}") from error
    _check_signature(sender, signed.message, signed.signature, holder=holder, what=what)
    if inner.recipient != keys.encryption:
        raise InvalidTrusteeError(f"key-holder {holder} sent {what} that is meant for somebody else", blame=f"trustee {holder}")
    return inner.message


# --- 4.6.2 certificates: steps 1 and 2 -----------------------------------------------------------------------------------


def make_certificate(keys: PkiKeys, *, index: int, threshold: int, size: int, rng: Rng) -> SignedMsg:
    """Step 1: the certificate of the holder at place `index` of `size`, of whom `threshold` will be needed."""
    _check_numbers(threshold, size)
    if not 1 <= index <= size:
        raise MalformedError("a key-holder's place must be from 1 to the size of the group")
    body = CertKeys(Context(GROUP_NAME, size, threshold, index), keys.verification, keys.encryption)
    return _signed(keys.signing, body.to_bytes().decode(), rng)


def _check_numbers(threshold: int, size: int) -> None:
    if not 1 <= threshold <= size <= MAX_GROUP:
        raise MalformedError(f"a group's threshold must be from 1 to its size, and its size at most {MAX_GROUP}")


def check_certificate(certificate: SignedMsg, *, index: int, threshold: int, size: int) -> CertKeys:
    """Check one certificate against the place it is for. Raises: InvalidTrusteeError."""
    blame = f"trustee {index}"
    try:
        body = CertKeys.parse(certificate.message.encode())
    except MalformedError as error:
        raise InvalidTrusteeError(f"key-holder {index}'s certificate cannot be read: {error}", blame=blame) from error
    if body.context != Context(GROUP_NAME, size, threshold, index):
        raise InvalidTrusteeError(f"key-holder {index}'s certificate is for another place, threshold or size of group", blame=blame)
    _check_signature(body.verification, certificate.message, certificate.signature, holder=index, what="the certificate")
    return body


def check_certificates(certificates: Sequence[SignedMsg], threshold: int | None = None) -> tuple[CertKeys, ...]:
    """Step 2: check that the certificates form one group; without `threshold`, the first certificate's counts.

    Raises: InvalidTrusteeError, or MalformedError if there is none or too many.
    """
    if not 1 <= len(certificates) <= MAX_GROUP:
        raise MalformedError(f"a group has from 1 to {MAX_GROUP} certificates")
    if threshold is None:
        threshold = CertKeys.parse(certificates[0].message.encode()).context.threshold
    size = len(certificates)
    _check_numbers(threshold, size)
    bodies: list[CertKeys] = []
    for index, certificate in enumerate(certificates, 1):
        body = check_certificate(certificate, index=index, threshold=threshold, size=size)
        if any(body.verification == b.verification or body.encryption == b.encryption for b in bodies):
            raise InvalidTrusteeError(f"key-holder {index} shows another holder's key as their own", blame=f"trustee {index}")
        bodies.append(body)
    return tuple(bodies)


def find_place(keys: PkiKeys, bodies: Sequence[CertKeys]) -> int:
    """The place, from 1, at which our own certificate stands. Raises: InvalidTrusteeError if it does not."""
    for index, body in enumerate(bodies, 1):
        if (body.verification, body.encryption) == (keys.verification, keys.encryption):
            return index
    raise InvalidTrusteeError("this key file's certificate is not among the certificates of this group")


# --- 4.6.4 polynomials: steps 3 and 4 ------------------------------------------------------------------------------------


def _certs_text(certificates: Sequence[SignedMsg], coefexps: Sequence[Point]) -> str:
    return "certs_sig|" + Certs(tuple(certificates), tuple(coefexps)).to_bytes().decode()


def make_polynomial(keys: PkiKeys, certificates: Sequence[SignedMsg], rng: Rng) -> Polynomial:
    """Step 3: draw this holder's secret polynomial and seal to each holder its value at their place.

    Raises: InvalidTrusteeError if a certificate fails or our own is missing.
    """
    bodies = check_certificates(certificates)
    find_place(keys, bodies)
    coefficients = [rng.scalar() for _ in range(bodies[0].context.threshold)]
    coefexps = tuple(G**a for a in coefficients)

    def message_to(recipient: Point, data: bytes) -> str:
        return send(keys.signing, recipient, data.decode(), rng)

    return Polynomial(
        polynomial=message_to(keys.encryption, RawPolynomial(tuple(coefficients)).to_bytes()),
        secrets=tuple(
            message_to(body.encryption, Secret(_evaluate(coefficients, j)).to_bytes()) for j, body in enumerate(bodies, 1)
        ),
        coefexps=_signed(keys.signing, RawCoefexps(coefexps).to_bytes().decode(), rng),
        signature=_sign(keys.signing, _certs_text(certificates, coefexps), rng),
    )


def _evaluate(coefficients: Sequence[int], x: int) -> int:
    value = 0
    for a in reversed(coefficients):
        value = (value * x + a) % Q
    return value


def _evaluate_in_exponent(coefexps: Sequence[Point], x: int) -> Point:
    """∏ A_k^(x^k): g to the polynomial's value at x."""
    value = coefexps[-1]
    for a in reversed(coefexps[:-1]):
        value = value**x * a
    return value


def _check_coefexps(
    certificates: Sequence[SignedMsg], body: CertKeys, index: int, coefexps: SignedMsg, signature: Proof
) -> tuple[Point, ...]:
    """Check one holder's published coefficients and both signatures over them."""
    blame = f"trustee {index}"
    _check_signature(body.verification, coefexps.message, coefexps.signature, holder=index, what="the coefficients")
    try:
        points = RawCoefexps.parse(coefexps.message.encode()).coefexps
    except MalformedError as error:
        raise InvalidTrusteeError(f"key-holder {index}'s coefficients cannot be read: {error}", blame=blame) from error
    if len(points) != body.context.threshold:
        raise InvalidTrusteeError(f"key-holder {index} published another number of coefficients than the threshold", blame=blame)
    _check_signature(body.verification, _certs_text(certificates, points), signature, holder=index, what="the certificates")
    return points


def check_polynomial(certificates: Sequence[SignedMsg], index: int, polynomial: Polynomial) -> None:
    """Check what can be checked of one holder's step 3 without their recipients' keys.

    Raises: InvalidTrusteeError, MalformedError for a place outside the group.
    """
    bodies = check_certificates(certificates)
    if not 1 <= index <= len(bodies):
        raise MalformedError("a key-holder's place must be from 1 to the size of the group")
    if len(polynomial.secrets) != len(bodies):
        raise InvalidTrusteeError(f"key-holder {index} did not send one secret to each holder", blame=f"trustee {index}")
    _check_coefexps(certificates, bodies[index - 1], index, polynomial.coefexps, polynomial.signature)


def make_vinputs(certificates: Sequence[SignedMsg], polynomials: Sequence[Polynomial]) -> tuple[Vinput, ...]:
    """Step 4: check all polynomials, and give each holder what the others sent them. Raises: InvalidTrusteeError."""
    if len(polynomials) != len(certificates):
        raise MalformedError("there must be one polynomial for each certificate")
    for index, polynomial in enumerate(polynomials, 1):
        check_polynomial(certificates, index, polynomial)
    return tuple(
        Vinput(
            polynomial=own.polynomial,
            secrets=tuple(p.secrets[j] for p in polynomials),
            coefexps=tuple(p.coefexps for p in polynomials),
            signatures=tuple(p.signature for p in polynomials),
        )
        for j, own in enumerate(polynomials)
    )


# --- 4.6.5, 4.6.6 shares: step 5 -----------------------------------------------------------------------------------------


def make_voutput(keys: PkiKeys, certificates: Sequence[SignedMsg], vinput: Vinput, rng: Rng) -> Voutput:
    """Step 5: check everything the holders sent us, add up our decryption key, and publish its public half.

    Raises: InvalidTrusteeError naming the first holder whose message does not hold, MalformedError for a wrong shape.
    """
    bodies = check_certificates(certificates)
    place = find_place(keys, bodies)
    if not len(vinput.secrets) == len(vinput.coefexps) == len(vinput.signatures) == len(bodies):
        raise MalformedError("the input of step 5 does not have one entry for each key-holder")
    all_coefexps = [
        _check_coefexps(certificates, body, i, coefexps, signature)
        for i, (body, coefexps, signature) in enumerate(zip(bodies, vinput.coefexps, vinput.signatures, strict=True), 1)
    ]
    # Our own polynomial comes back: the coefficients that the server shows to all must be the ones we drew.
    own = RawPolynomial.parse(
        receive(keys, keys.verification, vinput.polynomial, holder=place, what="their own polynomial").encode()
    ).polynomial
    if tuple(G**a for a in own) != all_coefexps[place - 1]:
        raise InvalidTrusteeError("the server shows other coefficients for this holder than this holder published")
    share = 0
    for i, (body, coefexps, sealed) in enumerate(zip(bodies, all_coefexps, vinput.secrets, strict=True), 1):
        text = receive(keys, body.verification, sealed, holder=i, what="a secret")
        try:
            secret = Secret.parse(text.encode()).secret
        except MalformedError as error:
            raise InvalidTrusteeError(f"key-holder {i} sent a secret that cannot be read", blame=f"trustee {i}") from error
        if G**secret != _evaluate_in_exponent(coefexps, place):
            raise InvalidTrusteeError(f"key-holder {i} sent a secret that does not fit their coefficients", blame=f"trustee {i}")
        share += secret
    share %= Q
    if share == 0:
        raise InvalidTrusteeError("the key share is zero; the ceremony has to be run again")
    bare = make_public_key(share, rng)
    public_key = TrusteePublicKey(bare.pok, bare.public_key, _sign(keys.signing, str(bare.public_key), rng))
    private = send(keys.signing, keys.encryption, PartialDecryptionKey(share).to_bytes().decode(), rng)
    return Voutput(private, public_key)


def open_decryption_key(keys: PkiKeys, sealed: str) -> int:
    """This holder's decryption key, from the `private_key` of their voutput. Raises: MalformedError, InvalidTrusteeError."""
    text = receive(keys, keys.verification, sealed, holder=0, what="a decryption key")
    return PartialDecryptionKey.parse(text.encode()).decryption_key


def _check_share_key(body: CertKeys, all_coefexps: Sequence[Sequence[Point]], index: int, key: TrusteePublicKey, owner: int) -> None:
    if key.public_key != product(_evaluate_in_exponent(coefexps, index) for coefexps in all_coefexps):
        raise InvalidTrusteeError(f"key-holder {owner}'s public key is not what the coefficients give", blame=f"trustee {owner}")
    check_public_key(key, owner=owner)
    if key.signature is None:
        raise InvalidTrusteeError(f"key-holder {owner} did not sign their public key", blame=f"trustee {owner}")
    _check_signature(body.verification, str(key.public_key), key.signature, holder=owner, what="the public key")


def check_voutput(certificates: Sequence[SignedMsg], polynomials: Sequence[Polynomial], index: int, voutput: Voutput) -> None:
    """Check one holder's step 5 (4.6.6). Raises: InvalidTrusteeError."""
    bodies = check_certificates(certificates)
    if not 1 <= index <= len(bodies) or len(polynomials) != len(bodies):
        raise MalformedError("a key-holder's place must be from 1 to the size of the group")
    all_coefexps = [
        _check_coefexps(certificates, body, i, p.coefexps, p.signature)
        for i, (body, p) in enumerate(zip(bodies, polynomials, strict=True), 1)
    ]
    _check_share_key(bodies[index - 1], all_coefexps, index, voutput.public_key, index)


# --- 4.6.7 threshold parameters: step 6 ------------------------------------------------------------------------------------


def make_threshold_parameters(
    certificates: Sequence[SignedMsg], polynomials: Sequence[Polynomial], voutputs: Sequence[Voutput]
) -> ThresholdParameters:
    """Step 6: the group's published parameters, checked. Raises: InvalidTrusteeError, MalformedError."""
    if not len(certificates) == len(polynomials) == len(voutputs):
        raise MalformedError("there must be one polynomial and one voutput for each certificate")
    parameters = ThresholdParameters(
        check_certificates(certificates)[0].context.threshold,
        tuple(certificates),
        tuple(p.coefexps for p in polynomials),
        tuple(p.signature for p in polynomials),
        tuple(v.public_key for v in voutputs),
    )
    check_threshold_parameters(parameters)
    return parameters


def check_threshold_parameters(parameters: ThresholdParameters, *, first_owner: int = 1) -> Point:
    """Check a group's parameters; its sub-key y.

    Raises: InvalidTrusteeError naming the owner at fault, MalformedError for a wrong shape.
    """
    size = len(parameters.certs)
    if not size == len(parameters.coefexps) == len(parameters.signatures) == len(parameters.verification_keys):
        raise MalformedError("a threshold group's lists have different lengths")
    try:
        bodies = check_certificates(parameters.certs, parameters.threshold)
        all_coefexps = [
            _check_coefexps(parameters.certs, body, i, coefexps, signature)
            for i, (body, coefexps, signature) in enumerate(zip(bodies, parameters.coefexps, parameters.signatures, strict=True), 1)
        ]
    except InvalidTrusteeError as error:
        if error.blame is not None:  # a place in the group, so far
            error.blame = f"trustee {int(error.blame.split()[1]) + first_owner - 1}"
        raise
    for i, (body, key) in enumerate(zip(bodies, parameters.verification_keys, strict=True), 1):
        _check_share_key(body, all_coefexps, i, key, first_owner + i - 1)
    return product(coefexps[0] for coefexps in all_coefexps)


# --- 4.7 all trustees of an election -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerificationKey:
    """One owner's key: `item` counts the trustees structure from 0; `index` is the place in a group, 0 for a single key."""

    owner: int
    public_key: Point
    item: int
    index: int
    name: str | None = None


@dataclass(frozen=True)
class ElectionKeys:
    """What the trustees structure comes to; `thresholds` by item: how many of its members are needed, None for a single key."""

    public_key: Point
    keys: tuple[VerificationKey, ...]
    thresholds: tuple[int | None, ...]

    def of_owner(self, owner: int) -> VerificationKey:
        """The key of owner 1 … m. Raises: InvalidTrusteeError if there is no such owner."""
        if not 1 <= owner <= len(self.keys):
            raise InvalidTrusteeError(f"there is no key-holder number {owner} in this election")
        return self.keys[owner - 1]

    def item_owners(self, item: int) -> tuple[VerificationKey, ...]:
        return tuple(key for key in self.keys if key.item == item)

    def missing(self, owners: Collection[int]) -> list[str]:
        """In words, what these owners lack to open (or, for shuffles, to have mixed) the ballots; empty: nothing."""
        words = []
        for item, threshold in enumerate(self.thresholds):
            members = self.item_owners(item)
            present = sum(key.owner in owners for key in members)
            if threshold is None and not present:
                words.append(f"key-holder {members[0].owner}")
            elif threshold is not None and present < threshold:
                words.append(f"{threshold - present} more of key-holders {members[0].owner} to {members[-1].owner}")
        return words


def check_trustees(trustees: Trustees) -> ElectionKeys:
    """Check every trustee's key, certificate and signature; the election's public key and each owner's verification key.

    Raises: InvalidTrusteeError naming the owner at fault, MalformedError for a wrong shape.
    """
    if not trustees.items:
        raise MalformedError("an election needs at least one trustee")
    keys: list[VerificationKey] = []
    thresholds: list[int | None] = []
    parts = []
    for item, kind in enumerate(trustees.items):
        owner = len(keys) + 1
        if isinstance(kind, TrusteePublicKey):
            check_public_key(kind, owner=owner)
            # v1's proof names nobody, so a copied key carries a proof that holds.
            if any(kind.public_key == key.public_key for key in keys):
                raise InvalidTrusteeError(f"key-holder {owner} shows another holder's key as their own", blame=f"trustee {owner}")
            keys.append(VerificationKey(owner, kind.public_key, item, 0, kind.name))
            thresholds.append(None)
            parts.append(kind.public_key)
        else:
            parts.append(check_threshold_parameters(kind, first_owner=owner))
            keys += [
                VerificationKey(owner + i, key.public_key, item, i + 1, key.name) for i, key in enumerate(kind.verification_keys)
            ]
            thresholds.append(kind.threshold)
    public_key = product(parts)
    if public_key.is_neutral:
        raise InvalidTrusteeError("the trustees' keys cancel each other out")
    return ElectionKeys(public_key, tuple(keys), tuple(thresholds))
