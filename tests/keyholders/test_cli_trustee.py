"""`ballot trustee`, through the command, on files and against a site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ballot import cli_trustee
from ballot.cli import main
from ballot.client import Client, token_subject
from ballot.errors import UnusableInputError
from ballot.keyholder import KeyFile, record_path, write_key
from ballot.protocol.companion import check_companion
from ballot.protocol.group import G
from ballot.protocol.messages import Companion, PartialDecryption, Shuffle, ThresholdParameters, TrusteePublicKey, Trustees
from ballot.protocol.trustees import check_public_key, check_threshold_parameters, check_trustees
from tests.keyholders.boards import PASSPHRASE, Practice
from tests.keyholders.fake_site import TOKEN, UUID, FakeSite

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phrase").write_text(PASSPHRASE + "\nsomething else\n")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a command; its status, what it printed, and its sentence on stderr, which is never a traceback."""

    def run(*arguments: object, passphrase: bool = True) -> tuple[int, str, str]:
        words = ["trustee", *map(str, arguments)]
        capsys.readouterr()
        status = main([*words, "--passphrase-file", str(folder / "phrase")] if passphrase else words)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "fault of its own" not in err
        assert (status == 0) == (not err), err
        assert err.count("\n") <= 1
        return status, out, err

    return run


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as site:
        yield site


def _key_file(folder: Path, practice: Practice, owner: int) -> Path:
    path = folder / f"{owner}.key"
    write_key(path, practice.key(owner), PASSPHRASE)
    return path


# --- on files ---------------------------------------------------------------------------------------------------------------


def test_a_single_key_is_made_and_its_public_half_checks(run: Run, folder: Path) -> None:
    status, out, _ = run("make-key", "--election", UUID, "--holder", "Ann Example")
    assert 0 == status
    path = folder / f"ballot-{UUID}-1-ann-example.key"
    assert 0o600 == path.stat().st_mode & 0o777
    assert str(path.name) in out
    public = TrusteePublicKey.parse((folder / f"ballot-{UUID}-1-ann-example.public.json").read_bytes().strip())
    check_public_key(public, owner=1)
    assert "Ann Example" == public.name
    key = KeyFile.from_bytes(path.read_bytes(), PASSPHRASE)
    assert public.public_key == G ** key.decryption_key()
    assert str(key.decryption_key()) not in out
    status, out, _ = run("prove", "--key", path)
    assert 0 == status
    assert f"the key of Ann Example (key-holder 1) for ballot {UUID}" in out
    assert str(public.public_key) in out


def test_a_key_is_never_overwritten(run: Run, folder: Path) -> None:
    run("make-key", "--election", UUID, "--holder", "Ann")
    before = (folder / f"ballot-{UUID}-1-ann.key").read_bytes()
    status, _, err = run("make-key", "--election", UUID, "--holder", "Ann")
    assert 2 == status
    assert "exists already" in err
    assert before == (folder / f"ballot-{UUID}-1-ann.key").read_bytes()


def test_a_ceremony_on_files_gives_threshold_parameters(run: Run, folder: Path) -> None:
    keys = []
    for owner in (1, 2, 3):
        name = f"Holder {owner}"
        assert 0 == run("threshold", 1, "--election", UUID, "--owner", owner, "--holder", name, "--needed", 2, "--size", 3)[0]
        keys.append(folder / f"ballot-{UUID}-{owner}-holder-{owner}.key")

    def gather(what: str) -> Path:
        path = folder / f"{what}s.jsons"
        path.write_bytes(b"".join(key.with_suffix(f".{what}.json").read_bytes() for key in keys))
        return path

    certificates = gather("certificate")
    status, out, _ = run("threshold", 2, "--certificates", certificates)
    assert (0, True) == (status, "3 key-holders hold; 2 of them" in out)
    for key in keys:
        assert 0 == run("threshold", 3, "--certificates", certificates, "--key", key)[0]
    polynomials = gather("polynomial")
    assert 0 == run("threshold", 4, "--certificates", certificates, "--polynomials", polynomials)[0]
    for owner, key in enumerate(keys, 1):
        assert 0 == run("threshold", 5, "--certificates", certificates, "--key", key, "--vinput", folder / f"holder-{owner}.vinput.json")[0]
    assert 0 == run("threshold", 6, "--certificates", certificates, "--polynomials", polynomials, "--voutputs", gather("voutput"))[0]
    parameters = ThresholdParameters.parse((folder / "threshold.json").read_bytes().strip())
    check_threshold_parameters(parameters)
    for key, public in zip(keys, parameters.verification_keys, strict=True):
        assert public.public_key == G ** KeyFile.from_bytes(key.read_bytes(), PASSPHRASE).decryption_key()
        assert 0o600 == key.stat().st_mode & 0o777
        assert 0 == run("prove", "--key", key)[0]
    both = folder / "both"
    both.write_bytes((folder / "holder-1.vinput.json").read_bytes() * 2)
    assert "one message" in run("threshold", 5, "--certificates", certificates, "--key", keys[0], "--vinput", both)[2]
    assert "exists already" in run("threshold", 4, "--certificates", certificates, "--polynomials", polynomials)[2]
    assert 2 == run("threshold", 4, "--certificates", certificates, "--polynomials", polynomials, "--out", folder / "missing")[0]
    status, _, err = run("threshold", 5, "--certificates", certificates, "--key", keys[0], "--vinput", folder / "holder-2.vinput.json")
    assert 1 == status
    assert "refused" in err


def test_whole_elections_are_shuffled_and_opened_on_files(run: Run, folder: Path, board: Practice) -> None:
    archive = folder / "board.bel"
    key = _key_file(folder, board, 3)
    archive.write_bytes(board.until("Shuffle", 2))
    status, out, _ = run("shuffle", "--key", key, "--archive", archive, "--jobs", 1)
    assert 0 == status
    assert "Ballots counted: 7. Total code: " in out
    uuid = board.done.election.uuid
    Shuffle.parse((folder / f"{uuid}-shuffle-3-holder-3.json").read_bytes())
    archive.write_bytes(board.until("EndShuffles"))
    pin = next(e.hash for e in board.entries() if e.kind == "event")
    status, out, _ = run("decrypt", "--key", key, "--archive", archive, "--out", folder, "--pin", f"0:{pin}")
    assert 0 == status
    assert 1 == run("decrypt", "--key", key, "--archive", archive, "--pin", f"0:{'0' * 64}")[0]
    partial = PartialDecryption.parse((folder / f"{uuid}-decryption-3-holder-3.json").read_bytes())
    companion = Companion.parse((folder / f"{uuid}-companion-3-holder-3.json").read_bytes())
    from ballot.keyholder import read_board

    with archive.open("rb") as file:
        now = read_board(file)
    assert now.tally is not None
    check_companion(now.election, now.tally, now.keys.of_owner(3).public_key, partial, companion, owner=3)
    status, out, _ = run("prove", "--key", key, "--archive", archive)
    assert "as the key of key-holder 3" in out


def test_the_companion_file_beside_the_archive_is_found(run: Run, folder: Path, board: Practice) -> None:
    archive, key = folder / "board.bel", _key_file(folder, board, 3)
    archive.write_bytes(board.until("PartialDecryption"))
    status, _, err = run("decrypt", "--key", key, "--archive", archive)
    assert 1 == status
    assert "companion" in err
    assert board.done.companions is not None
    one = b"[" + board.done.companions.companions[0].to_bytes() + b"]"
    (folder / "board.companion.json").write_bytes(one)
    assert 0 == run("decrypt", "--key", key, "--archive", archive)[0]
    (folder / "board.companion.json").rename(folder / "elsewhere")
    assert 0 == run("decrypt", "--key", key, "--archive", archive, "--companion", folder / "elsewhere")[0]


def test_a_broken_archive_leaves_nothing_behind(run: Run, folder: Path, board: Practice) -> None:
    key, archive = _key_file(folder, board, 1), folder / "board.bel"
    before = set(folder.iterdir()) | {archive}
    whole = board.until("EndShuffles")
    for data, status in ((whole[:-600], 1), (b"", 2), (b"\xff" * 5000, 2), (whole[:2000] + b"x" + whole[2001:], 1)):
        archive.write_bytes(data)
        assert status == run("decrypt", "--key", key, "--archive", archive, "--jobs", 1)[0]
    archive.write_bytes(board.until("Ballot"))
    assert 2 == run("decrypt", "--key", key, "--archive", archive, "--jobs", 1)[0]
    assert before == set(folder.iterdir())
    assert not record_path(key).exists()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0", b"{}", b"[" * 100_000, b'{"ballot_sealed":1,"ballot_sealed":1}', b"5", b"\0" * 1000]
)
def test_a_key_file_that_is_none_is_told_in_one_sentence(run: Run, folder: Path, content: bytes, board: Practice) -> None:
    (folder / "bad.key").write_bytes(content)
    (folder / "board.bel").write_bytes(board.until("EndShuffles"))
    for words in (["prove"], ["decrypt", "--archive", folder / "board.bel"], ["threshold", 3, "--certificates", folder / "phrase"]):
        assert 2 == run(*words, "--key", folder / "bad.key")[0]
    (folder / "dash").write_text("–")
    assert 2 == run("prove", "--key", folder / "bad.key", "--link-file", folder / "dash")[0]
    for option in ("--certificates", "--polynomials", "--voutputs", "--vinput"):
        words = [item for name in ("--certificates", "--polynomials", "--voutputs") for item in (name, folder / "bad.key")]
        assert 2 == run("threshold", 6, *words, option, folder / "bad.key")[0]


def test_wrong_arguments_are_told_in_one_sentence(run: Run, folder: Path, board: Practice) -> None:
    key = _key_file(folder, board, 1)
    for words in (
        ["make-key"],
        ["make-key", "--election", "../../x", "--holder", "A"],
        ["threshold", 1],
        ["threshold", 2],
        ["threshold", 1, "--election", UUID, "--owner", 9, "--holder", "A", "--needed", 2, "--size", 3],
        ["decrypt", "--key", key],
        ["decrypt", "--key", key, "--archive", folder / "missing.bel"],
        ["decrypt", "--key", folder / "missing.key", "--archive", folder / "missing.bel"],
        ["decrypt", "--key", key, "--archive", folder],
        ["prove", "--key", key, "--url", "https://vote.example.org"],
        ["prove", "--key", key, "--url", "http://vote.example.org", "--token", "t"],
        ["prove", "--key", key, "--url", "file:///etc/passwd", "--token", "t"],
        ["prove", "--key", key, "--url", "https://vote.example.org?x", "--token", "t"],
        ["prove", "--key", key, "--url", "https://vote.example.org", "--token", "a b"],
        ["prove", "--key", key, "--token", "t"],
        ["prove", "--key", key, "--link", "https://vote.example.org/vote#t"],
        ["prove", "--key", key, "--link", "https://vote.example.org/trustee/SmaLLe1ection1/1"],
        ["prove", "--key", key, "--link", "http://vote.example.org/trustee/SmaLLe1ection1/1#t"],
        ["prove", "--key", key, "--link-file", folder / "missing"],
        ["prove", "--key", key, "--link-file", key],
        ["make-key", "--url", "https://vote.example.org", "--token", "t"],
    ):
        assert 2 == run(*words)[0], words
    for arguments in (["decrypt", "--key", "k", "--pin", "x"], ["decrypt", "--key", "k", "--jobs", "0"], ["threshold", "7"], []):
        with pytest.raises(SystemExit) as caught:
            run(*arguments, passphrase=False)
        assert 2 == caught.value.code


def test_passphrases_are_asked_for_on_a_terminal_only(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["make-key", "--election", UUID, "--holder", "Ann"]
    assert "--passphrase-file" in run(*words, passphrase=False)[2]
    answers = iter([PASSPHRASE, "another passphrase", PASSPHRASE, PASSPHRASE, "wrong passphrase", PASSPHRASE])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert "differ" in run(*words, passphrase=False)[2]
    assert 0 == run(*words, passphrase=False)[0]
    path = folder / f"ballot-{UUID}-1-ann.key"
    assert "does not open" in run("prove", "--key", path, passphrase=False)[2]
    assert 0 == run("prove", "--key", path, passphrase=False)[0]
    (folder / "phrase").write_text("short\n")
    assert "12 characters" in run("make-key", "--election", UUID, "--holder", "Bob")[2]
    (folder / "phrase").write_bytes(b"\xff\xfe")
    assert "UTF-8" in run("make-key", "--election", UUID, "--holder", "Bob")[2]


def test_a_person_who_sees_another_total_code_stops(run: Run, folder: Path, board: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    key, archive = _key_file(folder, board, 1), folder / "board.bel"
    archive.write_bytes(board.until("EndShuffles"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert "nothing was sent" in run("decrypt", "--key", key, "--archive", archive, "--jobs", 1)[2]
    assert not record_path(key).exists()
    monkeypatch.setattr("builtins.input", lambda _: "Yes")
    assert 0 == run("decrypt", "--key", key, "--archive", archive, "--jobs", 1)[0]


# --- with a site --------------------------------------------------------------------------------------------------------------


def _make(run: Run, site: FakeSite, owner: int, *more: object) -> tuple[int, str, str]:
    return run("make-key", "--url", site.url, "--token", TOKEN, "--election", UUID, "--owner", owner, *more)


def test_key_day_with_a_site_goes_on_whenever_the_others_are_ready(run: Run, site: FakeSite, folder: Path) -> None:
    for stage in range(3):
        for owner in (1, 2, 3):
            status, out, _ = _make(run, site, owner)
            assert 0 == status
        if stage == 0:
            assert "2 of 3 key-holders will be needed" in out
    assert ["ready"] * 3 == [site.stage(owner) for owner in (1, 2, 3)]
    assert "Waiting" not in _make(run, site, 1)[1]
    parameters = ThresholdParameters.parse(site.parameters())
    keys = check_trustees(Trustees((parameters,)))
    for owner in (1, 2, 3):
        key = KeyFile.from_bytes((folder / f"ballot-{UUID}-{owner}-holder-{owner}.key").read_bytes(), PASSPHRASE)
        assert keys.of_owner(owner).public_key == G ** key.decryption_key()
    assert {f"Bearer {TOKEN}"} == site.tokens_seen


def test_waiting_names_the_others(run: Run, site: FakeSite) -> None:
    status, out, _ = _make(run, site, 1)
    assert 0 == status
    assert "Waiting for Holder 2, Holder 3." in out
    assert "Give the same command again later" in out


def test_waiting_goes_on_by_itself(run: Run, site: FakeSite, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    steps = iter([2, 3, 2, 3, 2, 3])
    inner: list[int] = []

    def others(_: float) -> None:
        owner = next(steps)
        inner.append(owner)
        args = ["trustee", "make-key", "--url", site.url, "--token", TOKEN, "--election", UUID, "--owner", str(owner)]
        assert 0 == main([*args, "--passphrase-file", str(folder / "phrase")])

    monkeypatch.setattr(cli_trustee.time, "sleep", others)
    assert 0 == _make(run, site, 1, "--wait")[0]
    assert "ready" == site.stage(1)
    assert len(inner) >= 3


def test_a_single_key_with_a_site(run: Run, folder: Path) -> None:
    with FakeSite(1, 1) as site:
        assert 0 == _make(run, site, 1)[0]
        assert "ready" == site.stage(1)
        assert 0 == run("prove", "--key", folder / f"ballot-{UUID}-1-holder-1.key", "--url", site.url, "--token", TOKEN)[0]


def test_a_copy_of_the_file_from_before_step_5_still_proves_and_opens(run: Run, site: FakeSite, folder: Path) -> None:
    _make(run, site, 1)
    path = folder / f"ballot-{UUID}-1-holder-1.key"
    shutil.copy(path, folder / "old-copy.key")
    for _ in range(2):
        for owner in (2, 3, 1):
            _make(run, site, owner)
    assert 0 == run("prove", "--key", folder / "old-copy.key", "--url", site.url, "--token", TOKEN)[0]
    del site.sent[1]["possession"]
    assert 0 == _make(run, site, 1, "--key", folder / "old-copy.key")[0]
    whole = KeyFile.from_bytes((folder / "old-copy.key").read_bytes(), PASSPHRASE)
    assert KeyFile.from_bytes(path.read_bytes(), PASSPHRASE) == whole


def test_a_lost_key_file_is_not_replaced_behind_the_sites_back(run: Run, site: FakeSite, folder: Path) -> None:
    for owner in (1, 2, 3):
        _make(run, site, owner)
    (folder / f"ballot-{UUID}-1-holder-1.key").unlink()
    site.sent[1].pop("polynomial", None)
    status, _, err = _make(run, site, 1)
    assert 2 == status
    assert "not here" in err


def test_a_site_that_lies_about_the_group_is_refused(run: Run, site: FakeSite) -> None:
    for owner in (1, 2):
        _make(run, site, owner)
    _make(run, site, 3)
    certificates = [data.decode() for data in site._all("cert")]
    site.sent[1].pop("polynomial", None)
    site.tampered = {"stage": "polynomial", "certificates": [certificates[1], certificates[0], certificates[2]]}
    assert 1 == _make(run, site, 1)[0]
    site.tampered = {"stage": "polynomial", "certificates": certificates[:2]}
    assert 1 == _make(run, site, 1)[0]
    for tampered in (
        {"certificates": 5},
        {"certificates": [5]},
        {"stage": "dance"},
        {"stage": 5},
        {"election": "Another1111111"},
        {"owner": 2},
        {"stage": "voutput", "vinput": None},
        {"stage": "cert", "size": "3"},
    ):
        site.tampered = {"stage": "polynomial", **tampered}
        assert 2 == _make(run, site, 1)[0], tampered


def test_a_site_that_asks_for_the_same_message_again_is_refused(run: Run, site: FakeSite) -> None:
    site.tampered = {"stage": "cert"}
    status, _, err = _make(run, site, 1)
    assert (2, True) == (status, "asks for it again" in err)


def test_a_site_that_shows_our_certificate_at_another_place_is_refused(run: Run, site: FakeSite, folder: Path) -> None:
    for owner in (1, 2, 3):
        _make(run, site, owner)
    site.sent[2].pop("polynomial", None)
    path = folder / f"ballot-{UUID}-1-holder-1.key"
    from dataclasses import replace

    write_key(folder / "moved.key", replace(KeyFile.from_bytes(path.read_bytes(), PASSPHRASE), owner=2), PASSPHRASE)
    status, _, err = _make(run, site, 2, "--key", folder / "moved.key")
    assert (2, True) == (status, "another holder's place" in err)
    status, _, err = _make(run, site, 2, "--key", path)
    assert (2, True) == (status, "another ballot or key-holder" in err)


def test_waiting_is_said_once_while_nothing_changes(run: Run, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([None, None])

    def wait(_: float) -> None:
        if next(looks, "done") == "done":
            raise KeyboardInterrupt

    monkeypatch.setattr(cli_trustee.time, "sleep", wait)
    status, out, _ = _make(run, site, 1, "--wait")
    assert (3, 1) == (status, out.count("Waiting for"))


def test_shares_go_to_the_site(run: Run, folder: Path, board: Practice) -> None:
    with FakeSite() as site:
        uuid = board.done.election.uuid
        site.tampered = {"election": uuid}
        key = _key_file(folder, board, 2)
        there = ["--key", key, "--url", site.url, "--token", TOKEN, "--jobs", 1]
        site.archive = board.until("EncryptedTally")
        assert 0 == run("shuffle", *there)[0]
        site.archive = board.until("EndShuffles")
        assert 0 == run("decrypt", *there)[0]
        site.archive = board.until("PartialDecryption")
        assert 1 == run("decrypt", *there)[0]  # the site keeps the others' companion proofs back
        assert ["shuffle", "decryption"] == [what for what, _ in site.uploads]
        Shuffle.parse(site.uploads[0][1])
        first, second = site.uploads[1][1].split(b"\n")
        PartialDecryption.parse(first)
        assert 2 == Companion.parse(second).owner


def test_a_link_of_another_holder_is_refused(run: Run, folder: Path, board: Practice) -> None:
    with FakeSite() as site:
        site.archive = board.until("EndShuffles")
        key = folder / "other.key"
        from dataclasses import replace

        write_key(key, replace(board.key(2), owner=1), PASSPHRASE)
        status, _, err = run("decrypt", "--key", key, "--url", site.url, "--token", TOKEN, "--jobs", 1)
        assert 2 == status
        assert "key-holder 2's" in err
        assert [] == site.uploads


@pytest.mark.parametrize(("answer", "words"), [
    ((403, {}, json.dumps({"error": "link-not-valid", "message": "This link is\nnot valid."}).encode()), "This link is not valid."),
    ((500, {}, b"<html>"), "status 500"),
    ((404, {}, b"\xff"), "status 404"),
    ((302, {"Location": "http://127.0.0.1:1/"}, b""), "leads elsewhere"),
    ((200, {}, b"<html>"), "not JSON"),
    ((200, {}, b"[]"), "another ballot"),
    ((200, {}, b'{"a":1,"a":2}'), "twice"),
])
def test_a_site_in_trouble_is_told_in_one_sentence(
    run: Run, site: FakeSite, answer: tuple[int, dict[str, str], bytes], words: str
) -> None:
    site.answer = answer
    status, _, err = _make(run, site, 1)
    assert 2 == status
    assert words in err


def test_a_site_that_is_not_there_is_told(run: Run) -> None:
    status, _, err = run("make-key", "--url", "http://127.0.0.1:9", "--token", TOKEN, "--election", UUID, "--owner", 1)
    assert 2 == status
    assert "cannot be reached" in err


def test_a_whole_link_serves_as_a_token_and_names_ballot_and_holder() -> None:
    from itsdangerous import URLSafeSerializer

    token = str(URLSafeSerializer("key").dumps([UUID, 2, 0]))
    assert (UUID, 2) == token_subject(token)
    for other in ("", "a.b", "é", "e30.x", "W10.x", TOKEN):
        assert token_subject(other) is None


def test_a_token_is_never_sent_over_plain_http_to_another_machine() -> None:
    for url in ("http://vote.example.org", "ftp://localhost", "vote.example.org", "https://", "https://me@vote.example.org", "https://x#y"):
        with pytest.raises(UnusableInputError):
            Client(url, TOKEN)
    for url in ("https://vote.example.org/", "http://localhost:5000", "http://[::1]:5000", "http://127.0.0.1"):
        Client(url, TOKEN)
