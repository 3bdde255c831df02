"""Keys, and the threshold ceremony with one bent message at a time."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from ballot.errors import InvalidTrusteeError, MalformedError, NotSupportedError
from ballot.protocol import trustees as subject
from ballot.protocol.decryption import lagrange
from ballot.protocol.group import ONE, G, Q, SeededRng, product
from ballot.protocol.messages import (
    EncryptedMsg,
    Polynomial,
    Proof,
    RawCoefexps,
    Secret,
    SignedMsg,
    ThresholdParameters,
    TrusteePublicKey,
    Trustees,
    Vinput,
    Voutput,
)
from ballot.protocol.trustees import (
    PkiKeys,
    check_certificate,
    check_certificates,
    check_polynomial,
    check_public_key,
    check_threshold_parameters,
    check_trustees,
    check_voutput,
    decrypt_message,
    encrypt_message,
    find_place,
    gen_seed,
    make_certificate,
    make_polynomial,
    make_public_key,
    make_threshold_parameters,
    make_vinputs,
    make_voutput,
    open_decryption_key,
)
from tests.support.belenios import belenios_tool
from tests.support.keyholders import Ceremony, ceremony, key_holders


@pytest.fixture(scope="module")
def two_of_three() -> Ceremony:
    return ceremony(2, 3, SeededRng(b"two of three"))


def _bent(proof: Proof) -> Proof:
    return Proof(proof.challenge, (proof.response + 1) % Q)


# --- single keys ------------------------------------------------------------------------------------------------------


def test_a_made_key_checks() -> None:
    check_public_key(make_public_key(5, SeededRng(b"")), owner=1)


@pytest.mark.parametrize("change", ["challenge", "response", "key"])
def test_a_key_whose_proof_was_changed_is_refused_and_its_owner_named(change: str) -> None:
    key = make_public_key(5, SeededRng(b""))
    match change:
        case "challenge":
            bent = replace(key, pok=Proof((key.pok.challenge + 1) % Q, key.pok.response))
        case "response":
            bent = replace(key, pok=_bent(key.pok))
        case _:
            bent = replace(key, public_key=key.public_key * G)
    with pytest.raises(InvalidTrusteeError) as caught:
        check_public_key(bent, owner=3)
    assert "trustee 3" == caught.value.blame


def test_a_key_copied_from_another_holder_is_refused() -> None:
    key = make_public_key(5, SeededRng(b""))
    with pytest.raises(InvalidTrusteeError, match="another holder's key") as caught:
        check_trustees(Trustees((key, key)))
    assert "trustee 2" == caught.value.blame


def test_keys_that_cancel_out_are_refused() -> None:
    rng = SeededRng(b"")
    with pytest.raises(InvalidTrusteeError, match="cancel"):
        check_trustees(Trustees((make_public_key(5, rng), make_public_key(Q - 5, rng))))


def test_an_election_without_trustees_is_malformed() -> None:
    with pytest.raises(MalformedError):
        check_trustees(Trustees(()))


def test_owners_are_numbered_over_all_items_and_their_keys_make_the_elections() -> None:
    trustees, secrets = key_holders("1 2/3 1", SeededRng(b"mixed"))
    keys = check_trustees(trustees)
    assert [(1, 0, 0), (2, 1, 1), (3, 1, 2), (4, 1, 3), (5, 2, 0)] == [(k.owner, k.item, k.index) for k in keys.keys]
    assert [G**x for x in secrets] == [k.public_key for k in keys.keys]
    assert (None, 2, None) == keys.thresholds
    group = product(k.public_key ** lagrange([1, 3], k.index) for k in (keys.keys[1], keys.keys[3]))
    assert keys.public_key == keys.keys[0].public_key * group * keys.keys[4].public_key


def test_what_is_missing_is_told_in_words() -> None:
    keys = check_trustees(key_holders("1 2/3", SeededRng(b"mixed"))[0])
    assert [] == keys.missing([1, 2, 4])
    assert ["key-holder 1", "1 more of key-holders 2 to 4"] == keys.missing([3])
    with pytest.raises(InvalidTrusteeError):
        keys.of_owner(5)
    with pytest.raises(InvalidTrusteeError):
        keys.of_owner(0)


# --- sealing between holders --------------------------------------------------------------------------------------------


def test_a_sealed_message_opens_for_its_recipient_only() -> None:
    rng = SeededRng(b"")
    one, two = (PkiKeys.from_seed(gen_seed(rng)) for _ in range(2))
    sealed = encrypt_message(one.encryption, "a text – with a dash", rng)
    assert "a text – with a dash" == decrypt_message(one.decryption, sealed)
    with pytest.raises(MalformedError):
        decrypt_message(two.decryption, sealed)


def test_a_message_of_an_unknown_algorithm_is_not_supported() -> None:
    keys = PkiKeys.from_seed("1" * 22)
    sealed = EncryptedMsg.parse(encrypt_message(keys.encryption, "text", SeededRng(b"")).encode())
    with pytest.raises(NotSupportedError):
        decrypt_message(keys.decryption, replace(sealed, algorithm="ROT13").to_bytes().decode())
    with pytest.raises(MalformedError):
        decrypt_message(keys.decryption, replace(sealed, data="zz").to_bytes().decode())


@pytest.mark.parametrize("seed", ["", "1" * 21, "1" * 23, "0" * 22, "l" * 22, "é" * 22])
def test_a_seed_that_is_not_22_base58_characters_is_malformed(seed: str) -> None:
    with pytest.raises(MalformedError):
        PkiKeys.from_seed(seed)


def test_the_secret_keys_are_not_shown() -> None:
    keys = PkiKeys.from_seed("1" * 22)
    assert str(keys.signing) not in repr(keys)
    assert str(keys.decryption) not in repr(keys)


# --- the honest ceremony ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "size"), [(1, 1), (1, 2), (2, 3), (3, 5), (3, 3)])
def test_every_large_enough_subset_holds_the_same_key(threshold: int, size: int) -> None:
    made = ceremony(threshold, size, SeededRng(b"subsets"))
    public_key = check_threshold_parameters(made.parameters)
    for subset in combinations(range(1, size + 1), threshold):
        secret = sum(made.decryption_keys[i - 1] * lagrange(subset, i) for i in subset)
        assert public_key == G**secret
    for subset in combinations(range(1, size + 1), threshold - 1):
        if subset:
            assert public_key != G ** sum(made.decryption_keys[i - 1] * lagrange(subset, i) for i in subset)


def test_a_ceremony_survives_writing_and_reading() -> None:
    made = ceremony(2, 3, SeededRng(b"text"))
    for message in (*made.certificates, *made.polynomials, *made.vinputs, *made.voutputs, made.parameters):
        assert message == type(message).parse(message.to_bytes())


# --- steps 1 and 2 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "threshold", "size"), [(0, 2, 3), (4, 2, 3), (1, 0, 3), (1, 4, 3), (1, 2, 101)])
def test_a_certificate_for_an_impossible_place_is_refused(index: int, threshold: int, size: int) -> None:
    with pytest.raises(MalformedError):
        make_certificate(PkiKeys.from_seed("1" * 22), index=index, threshold=threshold, size=size, rng=SeededRng(b""))


def test_certificates_in_the_wrong_order_are_refused(two_of_three: Ceremony) -> None:
    a, b, c = two_of_three.certificates
    with pytest.raises(InvalidTrusteeError, match="another place") as caught:
        check_certificates([a, c, b])
    assert "trustee 2" == caught.value.blame


def test_a_certificate_missing_or_in_another_group_is_refused(two_of_three: Ceremony) -> None:
    with pytest.raises(InvalidTrusteeError, match="size"):
        check_certificates(two_of_three.certificates[:2])
    with pytest.raises(InvalidTrusteeError, match="threshold"):
        check_certificates(two_of_three.certificates, 3)
    with pytest.raises(MalformedError):
        check_certificates([])


def test_a_certificate_with_a_bent_signature_or_text_is_refused(two_of_three: Ceremony) -> None:
    first = two_of_three.certificates[0]
    with pytest.raises(InvalidTrusteeError, match="signature"):
        check_certificate(replace(first, signature=_bent(first.signature)), index=1, threshold=2, size=3)
    with pytest.raises(InvalidTrusteeError, match="cannot be read"):
        check_certificate(replace(first, message=first.message + " "), index=1, threshold=2, size=3)


def test_two_places_with_one_key_are_refused(two_of_three: Ceremony) -> None:
    again = make_certificate(two_of_three.keys[0], index=2, threshold=2, size=3, rng=SeededRng(b""))
    with pytest.raises(InvalidTrusteeError, match="another holder's key"):
        check_certificates([two_of_three.certificates[0], again, two_of_three.certificates[2]])


def test_a_holder_outside_the_group_cannot_take_part(two_of_three: Ceremony) -> None:
    with pytest.raises(InvalidTrusteeError, match="not among"):
        make_polynomial(PkiKeys.from_seed("1" * 22), two_of_three.certificates, SeededRng(b""))
    with pytest.raises(InvalidTrusteeError):
        find_place(PkiKeys.from_seed("1" * 22), check_certificates(two_of_three.certificates))


# --- steps 3 and 4 ------------------------------------------------------------------------------------------------------------


def _with_coefexps(made: Ceremony, index: int, points: tuple[object, ...]) -> Polynomial:
    """Holder `index`'s polynomial with other coefficients, honestly signed."""
    rng, keys = SeededRng(b"bent"), made.keys[index - 1]
    message = RawCoefexps(points).to_bytes().decode()  # type: ignore[arg-type]
    return replace(
        made.polynomials[index - 1],
        coefexps=SignedMsg(message, subject._sign(keys.signing, message, rng)),
        signature=subject._sign(keys.signing, subject._certs_text(made.certificates, points), rng),  # type: ignore[arg-type]
    )


def test_a_bent_polynomial_is_refused_and_its_holder_named(two_of_three: Ceremony) -> None:
    good = two_of_three.polynomials[1]
    other = two_of_three.polynomials[0]
    for bent in (
        replace(good, secrets=good.secrets[:2]),
        replace(good, signature=_bent(good.signature)),
        replace(good, coefexps=replace(good.coefexps, signature=_bent(good.coefexps.signature))),
        replace(good, coefexps=other.coefexps),
        replace(good, signature=other.signature),
        _with_coefexps(two_of_three, 2, (G,)),
        _with_coefexps(two_of_three, 2, (G, G, G)),
    ):
        with pytest.raises(InvalidTrusteeError) as caught:
            check_polynomial(two_of_three.certificates, 2, bent)
        assert "trustee 2" == caught.value.blame
        with pytest.raises(InvalidTrusteeError):
            make_vinputs(two_of_three.certificates, [other, bent, two_of_three.polynomials[2]])


def test_coefficients_or_secrets_that_cannot_be_read_name_their_holder(two_of_three: Ceremony) -> None:
    rng, keys = SeededRng(b"bent"), two_of_three.keys[1]
    unreadable = replace(two_of_three.polynomials[1], coefexps=SignedMsg("[]", subject._sign(keys.signing, "[]", rng)))
    with pytest.raises(InvalidTrusteeError, match="cannot be read") as caught:
        check_polynomial(two_of_three.certificates, 2, unreadable)
    assert "trustee 2" == caught.value.blame
    sealed = subject.send(keys.signing, two_of_three.keys[0].encryption, "[]", rng)
    vinput = two_of_three.vinputs[0]
    with pytest.raises(InvalidTrusteeError, match="cannot be read") as caught:
        _step_5(two_of_three, replace(vinput, secrets=(vinput.secrets[0], sealed, vinput.secrets[2])))
    assert "trustee 2" == caught.value.blame


def test_a_polynomial_signed_for_another_group_is_refused(two_of_three: Ceremony) -> None:
    keys = two_of_three.keys
    certificates = [make_certificate(k, index=i, threshold=2, size=3, rng=SeededRng(b"again")) for i, k in enumerate(keys, 1)]
    with pytest.raises(InvalidTrusteeError):
        check_polynomial(certificates, 1, two_of_three.polynomials[0])


def test_wrong_numbers_of_polynomials_are_malformed(two_of_three: Ceremony) -> None:
    with pytest.raises(MalformedError):
        make_vinputs(two_of_three.certificates, two_of_three.polynomials[:2])
    with pytest.raises(MalformedError):
        check_polynomial(two_of_three.certificates, 4, two_of_three.polynomials[0])
    for index, polynomials in ((0, two_of_three.polynomials), (4, two_of_three.polynomials), (1, two_of_three.polynomials[:2])):
        with pytest.raises(MalformedError):
            check_voutput(two_of_three.certificates, polynomials, index, two_of_three.voutputs[0])
    with pytest.raises(MalformedError):
        make_threshold_parameters(two_of_three.certificates, two_of_three.polynomials, two_of_three.voutputs[:2])


# --- step 5 -------------------------------------------------------------------------------------------------------------------


def _step_5(made: Ceremony, vinput: Vinput) -> Voutput:
    return make_voutput(made.keys[0], made.certificates, vinput, SeededRng(b"step 5"))


def _secret(made: Ceremony, sender: int, recipient: int, value: int, *, sealed_to: int = 1) -> str:
    rng = SeededRng(b"bent")
    inner = subject.ChannelMsg(made.keys[recipient - 1].encryption, Secret(value).to_bytes().decode()).to_bytes().decode()
    signed = SignedMsg(inner, subject._sign(made.keys[sender - 1].signing, inner, rng))
    return encrypt_message(made.keys[sealed_to - 1].encryption, signed.to_bytes().decode(), rng)


def test_a_bad_secret_names_its_sender(two_of_three: Ceremony) -> None:
    vinput = two_of_three.vinputs[0]
    for bent in (
        _secret(two_of_three, 2, 1, 7),  # does not fit the coefficients
        _secret(two_of_three, 3, 1, 7),  # signed by somebody else
        _secret(two_of_three, 2, 3, 7),  # meant for somebody else
        vinput.secrets[0],
        two_of_three.vinputs[1].secrets[1],  # sealed to somebody else
        "",
        "{}",
    ):
        with pytest.raises(InvalidTrusteeError) as caught:
            _step_5(two_of_three, replace(vinput, secrets=(vinput.secrets[0], bent, vinput.secrets[2])))
        assert "trustee 2" == caught.value.blame


def test_a_right_secret_that_names_another_recipient_is_refused(two_of_three: Ceremony) -> None:
    vinput, keys = two_of_three.vinputs[0], two_of_three.keys
    text = subject.receive(keys[0], keys[1].verification, vinput.secrets[1], holder=2, what="a secret")
    right = Secret.parse(text.encode()).secret
    for recipient, accepted in ((1, True), (3, False)):
        bent = replace(vinput, secrets=(vinput.secrets[0], _secret(two_of_three, 2, recipient, right), vinput.secrets[2]))
        if accepted:
            _step_5(two_of_three, bent)
        else:
            with pytest.raises(InvalidTrusteeError, match="meant for somebody else"):
                _step_5(two_of_three, bent)


def test_a_share_that_adds_up_to_zero_is_not_used() -> None:
    class Zeros(SeededRng):
        def scalar(self) -> int:
            return 0

    with pytest.raises(InvalidTrusteeError, match="zero"):
        ceremony(1, 1, Zeros(b""))


def test_the_server_cannot_show_a_holder_other_coefficients_than_they_published(two_of_three: Ceremony) -> None:
    vinput = two_of_three.vinputs[0]
    other = make_polynomial(two_of_three.keys[0], two_of_three.certificates, SeededRng(b"another"))
    with pytest.raises(InvalidTrusteeError, match="other coefficients"):
        _step_5(
            two_of_three,
            replace(
                vinput,
                coefexps=(other.coefexps, *vinput.coefexps[1:]),
                signatures=(other.signature, *vinput.signatures[1:]),
                secrets=(other.secrets[0], *vinput.secrets[1:]),
            ),
        )


def test_an_input_of_step_5_with_a_part_missing_is_malformed(two_of_three: Ceremony) -> None:
    vinput = two_of_three.vinputs[0]
    for name in ("secrets", "coefexps", "signatures"):
        with pytest.raises(MalformedError):
            _step_5(two_of_three, replace(vinput, **{name: getattr(vinput, name)[:2]}))


def test_the_decryption_key_opens_for_its_holder_only(two_of_three: Ceremony) -> None:
    sealed = two_of_three.voutputs[0].private_key
    assert two_of_three.voutputs[0].public_key.public_key == G ** open_decryption_key(two_of_three.keys[0], sealed)
    with pytest.raises(InvalidTrusteeError):
        open_decryption_key(two_of_three.keys[1], sealed)


# --- step 6 and the published parameters ----------------------------------------------------------------------------------------


def test_a_bent_public_key_names_its_owner(two_of_three: Ceremony) -> None:
    good, other = two_of_three.voutputs[1].public_key, two_of_three.voutputs[0].public_key
    assert good.signature is not None
    rng = SeededRng(b"another share")
    another = make_public_key(5, rng)  # honestly proven and signed, but not what the coefficients give
    for bent in (
        replace(another, signature=subject._sign(two_of_three.keys[1].signing, str(another.public_key), rng)),
        other,
        replace(good, public_key=other.public_key),
        replace(good, pok=_bent(good.pok)),
        replace(good, signature=_bent(good.signature)),
        replace(good, signature=None),
        replace(good, signature=other.signature),
    ):
        voutputs = list(two_of_three.voutputs)
        voutputs[1] = replace(voutputs[1], public_key=bent)
        with pytest.raises(InvalidTrusteeError) as caught:
            check_voutput(two_of_three.certificates, two_of_three.polynomials, 2, voutputs[1])
        assert "trustee 2" == caught.value.blame
        with pytest.raises(InvalidTrusteeError):
            make_threshold_parameters(two_of_three.certificates, two_of_three.polynomials, voutputs)


def test_bent_threshold_parameters_are_refused_and_the_owner_counted_over_all_items(two_of_three: Ceremony) -> None:
    good = two_of_three.parameters

    def swap(values: tuple[object, ...]) -> tuple[object, ...]:
        return (values[0], values[2], values[1])

    single = make_public_key(5, SeededRng(b""))
    for name in ("certs", "coefexps", "signatures", "verification_keys"):
        bent = replace(good, **{name: swap(getattr(good, name))})
        with pytest.raises(InvalidTrusteeError) as caught:
            check_trustees(Trustees((single, bent)))
        assert "trustee 3" == caught.value.blame
        with pytest.raises(MalformedError):
            check_trustees(Trustees((single, replace(good, **{name: getattr(good, name)[:2]}))))
    for threshold in (0, 1, 3, 4):
        with pytest.raises((InvalidTrusteeError, MalformedError)):
            check_threshold_parameters(replace(good, threshold=threshold))


def test_the_sub_key_is_the_product_of_the_first_coefficients(two_of_three: Ceremony) -> None:
    first = [RawCoefexps.parse(p.coefexps.message.encode()).coefexps[0] for p in two_of_three.polynomials]
    assert product(first) == check_threshold_parameters(two_of_three.parameters)
    assert ONE != product(first)


# --- with Belenios's own tool -------------------------------------------------------------------------------------------------


@pytest.mark.belenios_tool
def test_our_key_holders_and_belenios_share_one_ceremony(tmp_path: Path) -> None:
    """Holders 1 and 3 use our software, holder 2 and the server use Belenios's tool."""
    tool, rng = belenios_tool((3, 2)), SeededRng(b"shared ceremony")

    def step(*arguments: str, stdin: str = "") -> str:
        command = [str(tool), "setup", "generate-trustee-key-threshold", "--group", "Ed25519", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert 0 == done.returncode, done.stderr
        return done.stdout.strip()

    ours = {i: PkiKeys.from_seed(gen_seed(rng)) for i in (1, 3)}
    theirs = step("--step", "1", "--threshold-context", "2/2/3")
    certificates = [make_certificate(ours[i], index=i, threshold=2, size=3, rng=rng) if i in ours else None for i in (1, 2, 3)]
    certificates[1] = SignedMsg.parse((tmp_path / f"{theirs}.cert").read_bytes().strip())
    made = [c for c in certificates if c is not None]
    certs = tmp_path / "certs.jsons"
    certs.write_bytes(b"".join(c.to_bytes() + b"\n" for c in made))
    step("--certs", str(certs), "--step", "2")
    polynomials = [make_polynomial(ours[i], made, rng) if i in ours else None for i in (1, 2, 3)]
    theirs_polynomial = step("--certs", str(certs), "--key", str(tmp_path / f"{theirs}.key"), "--step", "3")
    polynomials[1] = Polynomial.parse(theirs_polynomial.encode())
    drawn = [p for p in polynomials if p is not None]
    path = tmp_path / "polynomials.jsons"
    path.write_bytes(b"".join(p.to_bytes() + b"\n" for p in drawn))
    step("--certs", str(certs), "--step", "4", "--polynomials", str(path))
    vinputs = make_vinputs(made, drawn)
    their_vinput = (tmp_path / f"{theirs}.vinput").read_text()
    assert their_vinput.strip().encode() == vinputs[1].to_bytes()
    their_voutput = step("--certs", str(certs), "--key", str(tmp_path / f"{theirs}.key"), "--step", "5", stdin=their_vinput)
    voutputs = [make_voutput(ours[i], made, vinputs[i - 1], rng).to_bytes().decode() if i in ours else their_voutput for i in (1, 2, 3)]
    parameters = step("--certs", str(certs), "--step", "6", "--polynomials", str(path), stdin="\n".join(voutputs) + "\n")
    expected = make_threshold_parameters(made, drawn, [Voutput.parse(v.encode()) for v in voutputs])
    assert expected.to_bytes() == parameters.encode()
    assert isinstance(ThresholdParameters.parse(parameters.encode()), ThresholdParameters)


# Made by running the reference tool's 3.0 release, which seals without naming an algorithm.
OLD_SEED = "1VHDb58kKUJ7Wrygayqxnf"
OLD_PRIVATE_KEY = (
    '{"alpha":"d77a91a1c83ea76c19de964a23a67806b0c9469fd729bdcc370a2502f2831359","beta":"18229f897deeb36a33faded431'
    '9dcee7fcee03edee222688786b6e45044dabcb","data":"56ac014b4ba99e3516c172293bea7b184d3163ad64bb0e8458c70e41364e8d'
    'b7921231858bea09e87e7d291bab87a977a5d3d76a1e1befbcd3b406764e6a4c432237319072bcde1eb01959fcd40b7a619e1b63ab03a3'
    'fb533ab4a461ce6091a21671cfe83368318e1edc54123a6380cd76e01c2cbee000fc6c83941e903120afbe2da82c7339aa743aca8700cf'
    '285532fb546cfc2b87344649e052894601cabb2815ff2444137865ed8fc9ad5dd061e8e64d294a41d10d9d262d15d99b5df1f63977c46c'
    '87f106001ddfc1f10f4fc185284ca2416fdadce1cd58e308025dd024e93bd78204deacb74cfc9f0c3676f8402db8eb4a0d98478aa232c1'
    'c79dc87c7a3555ad4079ccfe24c708d19ded7bb33cef4fd172a6b42554b8cc3110feef4fc253620554ece1fa567bd3733ee6c60be526de'
    '3fadd4c9b66f9688f6f300466ce1b609eda4f0725d16884c5f3c9b25aba117d0a359a0a2636cb36ba26347552555038bb11551a34da781'
    '78365fc66775f45285f6f41cb4207061607cc02c85b29a55e5171b3ca4c4eb4a67ef1af142ae9e38901412918619f3d52d48277c0722ce'
    '4a696ca436903a0e4545da"}'
)
OLD_PUBLIC_KEY = "0911ca535d75603b7f23fdcff1ad2a5376c201b66e05cec0a7dba2b044d3de2c"


def test_a_key_share_sealed_by_belenios_3_0_opens() -> None:
    assert OLD_PUBLIC_KEY == str(G ** open_decryption_key(PkiKeys.from_seed(OLD_SEED), OLD_PRIVATE_KEY))


def test_a_single_key_with_a_name_keeps_it() -> None:
    key = make_public_key(5, SeededRng(b""), name="Ann")
    assert "Ann" == check_trustees(Trustees((key,))).keys[0].name
    assert key == TrusteePublicKey.parse(key.to_bytes())
