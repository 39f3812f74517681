#!/usr/bin/env python3
"""Verify sharelog evidence files offline, trusting the genesis hash and nothing else.

Written from SPEC.md beside this file (and the shapes that it builds on), not from the ledger's own code, so that two
independent readers of one evidence file can be compared. An evidence file holds records, the proofs that they stand in
the ledger, and the signatures of the validators who say so. `verify` judges it in ten steps, in the order of SPEC's
section "Evidence"; the first step that fails ends the work:

    form, genesis, checkpoint, handovers, head, signatures, blocks, records, openings, pin

What is *not* judged here is on the word of more than two thirds of the validators: that each record was admissible
under the rules of its day (its writer in the right state, its references good, its texts free of personal data).
Bodies are read in full for agency.admit, key.rotate, key.revoke and share.deliver, on which other checks rest; of the
other kinds it is enough that the body is an object of restricted JSON.

Pure functions that cost much keep their last answers (`lru_cache`, bounded); no verdict over a file is ever kept.
Needs Python 3.11 or newer and the package `cryptography` (for the Ed25519 equation alone).
"""

import argparse
import binascii
import bisect
import datetime
import functools
import hashlib
import itertools
import json
import pathlib
import re
import sys
import unicodedata
from collections import namedtuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EVIDENCE_BYTES_MAX = 4 * 1024 * 1024
RECORD_BYTES_MAX = 16 * 1024
KEY_NAME_BYTES_MAX = 255
INTEGER_MAX = 2**53 - 1
JSON_DEPTH_MAX = 8
TLOG_PROOF_HASHES_MAX = 63  # the height of a tree of 2^63 leaves, C2SP tlog-proof
SET_MEMBERS = range(4, 23)
RULES_KNOWN = {1}
ROLES = {"office", "head", "authority", "inspector", "recovery"}
NOTE_KEY, COSIGNER_KEY = 0x01, 0x04
EXIT_OK, EXIT_REFUSED, EXIT_UNREADABLE = 0, 1, 6


class Refused(Exception):
    """What was looked at breaks a rule; the text says which."""


def need(condition, why):
    """Refuse with `why` unless `condition` holds."""
    if not condition:
        raise Refused(why)


# ---- Restricted JSON (SPEC "JSON"; RFC 8785) ----

NEWLINE_MEMBERS = {"leaf", "entry", "note", "checkpoint"}
PRINTABLE_ASCII = re.compile("[ -~]+")


def parse_json(raw, newline_members=frozenset()):
    """The value of a text that is its own canonical form, byte for byte. RFC 8785 writes each value in one way only, so
    writing the value again and comparing also finds repeated members, white space, `-0` and needless escapes."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=_no_such_number, parse_constant=_no_such_number)
    except (ValueError, RecursionError):
        raise Refused("not JSON of integers, texts, true, false, lists and objects") from None
    check_value(value, newline_members, 1)
    need(canonical(value) == raw, "the JSON is not in its canonical form")
    return value


def _no_such_number(_):
    raise ValueError


WRITER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(value):
    """RFC 8785 for the values that SPEC leaves: for ASCII member names and integers, Python's own writer agrees."""
    return WRITER.encode(value).encode("utf-8")


def check_value(value, newline_members, depth, newline=False):
    """Types, bounds, texts, and depth: every list and object counts, the outermost too (DESIGN 3)."""
    kind = type(value)
    if kind is str:
        if not is_plain(value):
            check_text(value, newline)
    elif kind is int:
        need(0 <= value <= INTEGER_MAX, "an integer is outside 0 to 2^53-1")
    elif kind is dict:
        need(depth <= JSON_DEPTH_MAX, "the JSON is deeper than 8")
        need(is_plain("".join(value)), "a member name is not printable ASCII")
        for name, item in value.items():
            check_value(item, newline_members, depth + 1, name in newline_members)
    elif kind is list:
        need(depth <= JSON_DEPTH_MAX, "the JSON is deeper than 8")
        for item in value:
            check_value(item, newline_members, depth + 1)
    else:
        need(kind is bool, "null stands in the JSON")


def is_plain(text):
    """Whether a text is printable ASCII, so that no other rule for texts can touch it."""
    return text.isascii() and text.isprintable()


def check_text(text, newline):
    """Allowed code points only, in NFC. A line feed, where one may stand, is looked at as a space."""
    if newline:
        text = text.replace("\n", " ")
    others = set(PRINTABLE_ASCII.sub("", text))
    need(all(map(is_allowed, others)), "a text holds a forbidden or unassigned code point")
    need(is_nfc(text, others), "a text is not in NFC")


@functools.lru_cache(maxsize=8192)
def is_allowed(char):
    """SPEC "JSON": no controls, U+007F-009F, U+2028-2029, Bidi_Control, U+200B-200D, U+2060, U+FEFF, nothing that
    Unicode 16.0 leaves unassigned (by the table at the end of this file, whatever this Python knows; it holds neither
    surrogates nor noncharacters, but private use)."""
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0x9F or code in FORBIDDEN:
        return False
    index = bisect.bisect_right(ASSIGNED_FIRST, code) - 1
    return code <= ASSIGNED_LAST[index]


FORBIDDEN = {0x2028, 0x2029, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF,
             0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def is_nfc(text, others):
    """NFC of Unicode 16.0. Unicode never changes the normal form of text whose characters were assigned, so any newer
    Python is right; an older one is right but for the characters it does not know, for which `nfc` has tables."""
    if any(unicodedata.category(char) == "Cn" for char in others):
        return nfc(text) == text
    return unicodedata.is_normalized("NFC", text)


def nfc(text):
    """UAX 15: decompose, put each run of marks in canonical order, compose again."""
    chars = []
    for is_mark, run in itertools.groupby("".join(map(decompose, text)), lambda char: combining(char) > 0):
        chars += sorted(run, key=combining) if is_mark else run
    result, starter, last_class = [], None, 0
    for char in chars:
        blocked = starter is None or (last_class >= combining(char) and starter != len(result) - 1)
        whole = None if blocked else compose(result[starter] + char)
        if whole:
            result[starter] = whole
            continue
        result.append(char)
        last_class = combining(char)
        if last_class == 0:
            starter = len(result) - 1
    return "".join(result)


def combining(char):
    """The canonical combining class in Unicode 16.0."""
    return NEW_CLASSES.get(ord(char)) or unicodedata.combining(char)


def decompose(char):
    """The full canonical decomposition in Unicode 16.0."""
    pair = NEW_PAIRS.get(char)
    return decompose(pair[0]) + decompose(pair[1]) if pair else unicodedata.normalize("NFD", char)


def compose(pair):
    """The one character that the pair composes to in Unicode 16.0, or None."""
    whole = NEW_WHOLES.get(pair) or unicodedata.normalize("NFC", pair)
    return whole if len(whole) == 1 else None


# ---- Small values, and shapes of objects (INTERFACES "Ids and bounds") ----

HASH = re.compile("[0-9a-f]{64}")
AGENCY = re.compile("[0-9A-Za-z][0-9A-Za-z-]{0,63}")
LOCAL = re.compile("[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
DATASET = re.compile(AGENCY.pattern + ":" + LOCAL.pattern)
UID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TERRITORY = re.compile("[0-9]{2,12}")
LINE = re.compile("[a-z0-9][a-z0-9-]{0,63}")
ADDRESS = re.compile("(/[^/]+)+")
LEDGER_NAME = re.compile("(?!sharelog/)(?=.{1,100}$)[a-z0-9.-]+(/[a-z0-9.-]+)*")
DECIMAL = re.compile("0|[1-9][0-9]{0,15}")
TIME = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})[.][0-9]{3}Z")
DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
WEEK = re.compile("([0-9]{4})-W([0-9]{2})")
PERIOD = re.compile("[0-9]{4}(-H[12]|-Q[1-4]|-0[1-9]|-1[0-2])?")
COUNT, POSITIVE = (0, INTEGER_MAX), (1, INTEGER_MAX)


def check_shape(value, shape):
    """Refuse a value that has not the shape: an object with exactly the named members (`?` marks those that may be
    absent), a list of one shape, one of several texts, an integer within bounds, a text that a pattern describes whole,
    a value of one type, or what a function accepts."""
    kind = type(shape)
    if kind is dict:
        need(type(value) is dict, "no object")
        known = 0
        for name, item in shape.items():
            if name.rstrip("?") in value:
                check_member(value, name.rstrip("?"), item)
                known += 1
            else:
                need(name.endswith("?"), "a member is missing")
        need(known == len(value), "a member is unknown")
    elif kind is list:
        need(type(value) is list, "no list")
        for item in value:
            check_shape(item, shape[0])
    elif kind is set:
        need(type(value) is str and value in shape, "none of the texts that may stand here")
    elif kind is tuple:
        need(type(value) is int and shape[0] <= value <= shape[1], "no integer, or out of bounds")
    elif kind is re.Pattern:
        need(type(value) is str and shape.fullmatch(value), "malformed")
    elif kind is type:
        need(type(value) is shape, "of another type")
    else:
        shape(value)


def check_member(value, name, shape):
    """The shape of one member; a refusal names it."""
    try:
        check_shape(value[name], shape)
    except Refused as refused:
        raise Refused(f"{name}: {refused}") from None


def free_text(bytes_max):
    """The shape of a text of one line, not empty, without white space at its ends."""
    def check(value):
        need(type(value) is str and value and value == value.strip(), "an empty text, or white space at an end")
        need(len(value.encode("utf-8")) <= bytes_max, "a text is too long")
    return check


def decoded(text, size=None):
    """The bytes behind standard, padded, canonical base64."""
    need(type(text) is str, "no base64")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise Refused("malformed base64") from None
    need(binascii.b2a_base64(raw, newline=False).decode() == text, "base64 that is not canonical")
    need(size is None or len(raw) == size, "base64 of another length")
    return raw


BYTES_32 = functools.partial(decoded, size=32)
BYTES_64 = functools.partial(decoded, size=64)


def check_exists(function, *numbers):
    """Refuse a day or time that the calendar does not have."""
    try:
        function(*numbers)
    except ValueError:
        raise Refused("a day or time that does not exist") from None


def check_time(value):
    """RFC 3339, UTC, milliseconds, 24 characters, no second 60 (DESIGN 3). Such texts sort as the times they name."""
    check_shape(value, TIME)
    check_exists(datetime.datetime, *map(int, TIME.fullmatch(value).groups()))


def check_day(value):
    """A day, as YYYY-MM-DD."""
    check_shape(value, DAY)
    check_exists(datetime.date.fromisoformat, value)


def check_period(value):
    """A year, half, quarter, month, ISO 8601 week or day."""
    need(type(value) is str, "no period")
    week = WEEK.fullmatch(value)
    if week:
        check_exists(datetime.date.fromisocalendar, int(week[1]), int(week[2]), 1)
    elif not PERIOD.fullmatch(value):
        check_day(value)


def ascending(values):
    """Each value stands strictly above the one before it."""
    return all(first < second for first, second in zip(values, values[1:]))


def sha256(*parts):
    """SHA-256 over the parts, one after another."""
    return hashlib.sha256(b"".join(parts)).digest()


# ---- Ed25519 (DESIGN 3 "Keys and signatures"; RFC 8032, section 5.1) ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1, 1, 0)


def decode_point(raw):
    """The point in extended coordinates; None if the 32 bytes are not the one encoding of a point (RFC 8032, 5.1.3)."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add_points(p, q):
    """RFC 8032, 5.1.4."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def is_identity_times(number, point):
    """Whether `number` times the point is the neutral element."""
    result = IDENTITY
    while number:
        if number & 1:
            result = add_points(result, point)
        point = add_points(point, point)
        number >>= 1
    return result[0] == 0 and result[1] == result[2]


@functools.lru_cache(maxsize=4096)
def is_key(public):
    """Whether 32 bytes are a key: a canonical point of prime order, so neither of small order nor with a small part."""
    point = decode_point(public)
    return point is not None and not is_identity_times(1, point) and is_identity_times(L, point)


def check_key(public):
    """Refuse what `is_key` does not hold for."""
    need(is_key(public), "a public key is not a canonical point of prime order")


@functools.lru_cache(maxsize=2048)
def is_signed(public, message, signature):
    """Whether the signature is in the one acceptance set of the ledger: `S` below the group order, `R` canonical and
    not of small order, and the equation without cofactor, which the library judges. The key was checked before."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    point = decode_point(signature[:32])
    if point is None or is_identity_times(8, point):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


# ---- Merkle tree (RFC 9162, section 2.1) ----


def leaf_hash(leaf):
    """RFC 9162, 2.1.1: the hash of a leaf; for a block entry it is the block hash."""
    return sha256(b"\0", leaf)


def node_hash(left, right):
    """RFC 9162, 2.1.1: the hash of a node."""
    return sha256(b"\1", left, right)


# What an inclusion proof shows: the roots of the whole tree, of the leaves before the leaf, of those through it.
Roots = namedtuple("Roots", "whole before through")


def inclusion(position, size, leaf, proof):
    """RFC 9162, 2.1.3.2, without the comparison with a root, which is the caller's. The hashes that stand to the left
    give the two other roots (SPEC "Tree")."""
    need(position < size, "a position is beyond the tree")
    fn, sn, root, left = position, size - 1, leaf, []
    for sibling in proof:
        need(sn > 0, "a proof is too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            left.append(sibling)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "a proof is too short")
    before = left[0] if left else sha256()
    for sibling in left[1:]:
        before = node_hash(sibling, before)
    through = leaf
    for sibling in left:
        through = node_hash(sibling, through)
    return Roots(root, before, through)


# ---- Notes, verifier keys, checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof) ----

CONTROL = re.compile("[\\x00-\\x09\\x0b-\\x1f]")

# A signature line: the name of the key, its id, and what follows the id. A verifier key. A checkpoint, before its lines
# are judged; `text` is what they sign.
Line = namedtuple("Line", "name key_id rest")
Key = namedtuple("Key", "name key_id algorithm public")
Checkpoint = namedtuple("Checkpoint", "origin size root text lines")


def split_note(note):
    """C2SP signed-note: the text, an empty line, and at least one signature line."""
    need(not CONTROL.search(note), "a control character stands in a note")
    end = note.rfind("\n\n")
    need(end > 0 and note.endswith("\n"), "a note without text, empty line and signature lines")
    text, lines = note[:end + 1], note[end + 2:]
    need(lines != "", "a note without signature lines")
    return text, [parse_line(line) for line in lines[:-1].split("\n")]


def parse_line(line):
    """U+2014, a space, the name of the key, a space, base64 of key id and signature."""
    need(line.startswith("\u2014 "), "a signature line does not begin with its dash")
    name, _, encoded = line[2:].partition(" ")
    check_key_name(name)
    blob = decoded(encoded)
    need(len(blob) > 4, "a signature line holds no signature")
    return Line(name, blob[:4], blob[4:])


def check_key_name(name):
    """C2SP signed-note: not empty, no white space, no plus."""
    need(name and "+" not in name and not any(map(str.isspace, name)), "the name of a key is malformed")
    need(len(name.encode("utf-8")) <= KEY_NAME_BYTES_MAX, "the name of a key is too long")


def key_id(name, algorithm, public):
    """C2SP signed-note: the first 4 bytes of a hash over name, algorithm and key."""
    return sha256(name.encode("utf-8"), b"\n", bytes([algorithm]), public)[:4]


def note_key(name, public):
    """The verifier key for notes of a name and a public key."""
    return Key(name, key_id(name, NOTE_KEY, public), NOTE_KEY, public)


def parse_vkey(text):
    """A verifier key: name, key id in hex, and base64 of algorithm and public key."""
    need(text.count("+") >= 2, "a verifier key is malformed")
    name, hex_id, encoded = text.split("+", 2)
    check_key_name(name)
    blob = decoded(encoded, 33)
    algorithm, public = blob[0], blob[1:]
    need(algorithm in (NOTE_KEY, COSIGNER_KEY), "a verifier key of another algorithm")
    need(hex_id == key_id(name, algorithm, public).hex(), "the id of a verifier key is not its own")
    check_key(public)
    return Key(name, bytes.fromhex(hex_id), algorithm, public)


def line_holds(line, key, text):
    """Whether a line is a good signature of the key over a note's text: plain, or with the cosigner's own time."""
    if (line.name, line.key_id) != (key.name, key.key_id):
        return False
    if key.algorithm == NOTE_KEY:
        return is_signed(key.public, text.encode("utf-8"), line.rest)
    if len(line.rest) != 72:
        return False
    seconds = int.from_bytes(line.rest[:8], "big")
    if seconds >= 1 << 63:
        return False
    return is_signed(key.public, f"cosignature/v1\ntime {seconds}\n{text}".encode("utf-8"), line.rest[8:])


def parse_checkpoint(note):
    """C2SP tlog-checkpoint without extension lines."""
    text, lines = split_note(note)
    return parse_checkpoint_text(text)._replace(lines=lines)


def parse_checkpoint_text(text):
    """Exactly three lines: origin, size, base64 of the root."""
    parts = text.split("\n")
    need(len(parts) == 4 and parts[3] == "", "a checkpoint does not have three lines")
    check_key_name(parts[0])
    need(DECIMAL.fullmatch(parts[1]) and int(parts[1]) <= INTEGER_MAX, "the size of a checkpoint is malformed")
    return Checkpoint(parts[0], int(parts[1]), decoded(parts[2], 32), text, [])


TLOG_PROOF = "c2sp.org/tlog-proof@v1\n"


def parse_tlog_proof(text):
    """C2SP tlog-proof without an `extra` line: index, hashes, and the checkpoint that they lead to."""
    need(text.startswith(TLOG_PROOF), "a proof does not begin with its format")
    head, separator, note = text[len(TLOG_PROOF):].partition("\n\n")
    need(separator, "a proof without a checkpoint")
    first, *hashes = head.split("\n")
    word, _, index = first.partition(" ")
    need(word == "index" and DECIMAL.fullmatch(index), "a proof without an index")
    need(len(hashes) <= TLOG_PROOF_HASHES_MAX, "a proof of too many hashes")
    return int(index), [decoded(line, 32) for line in hashes], parse_checkpoint(note)


# ---- Validator sets, certificates, block entries (DESIGN 3; SPEC "Block entries", "Votes, certificates") ----

VALIDATOR_SET = [{"agency": AGENCY, "consensus": BYTES_32, "cosigner": BYTES_32, "power": COUNT}]
CERTIFICATE = {"block": HASH, "height": POSITIVE, "ledger": str, "round": (0, 2**32 - 1),
               "signatures": [{"agency": AGENCY, "signature": BYTES_64}]}
BLOCK_ENTRY = {"first": COUNT, "height": POSITIVE, "ledger": str, "next": HASH, "position": COUNT, "previous": HASH,
               "proposer": AGENCY, "root": HASH, "rules": COUNT, "state": HASH, "time": check_time, "validators": HASH}


def check_set(value):
    """4 to 22 members of power 1, ascending by agency, all keys sound and distinct."""
    need(len(value) in SET_MEMBERS, "a validator set has 4 to 22 members")
    need(ascending([member["agency"] for member in value]), "a validator set does not ascend by agency")
    need(all(member["power"] == 1 for member in value), "the power of a validator is 1")
    keys = [decoded(member[use]) for member in value for use in ("consensus", "cosigner")]
    need(len(set(keys)) == len(keys), "a validator set names a key twice")
    for key in keys:
        check_key(key)


def set_hash(value):
    """SHA-256 of the set's JSON, in hex."""
    return sha256(canonical(value)).hex()


def check_certificate(value, origin, entry, validators):
    """Precommits for this block by more than two thirds of the set; a bad or foreign one refuses the whole."""
    height, block = entry.head["height"], entry.digest
    need(value["ledger"] == origin, "a certificate of another ledger")
    need(value["height"] == height and value["block"] == block, "a certificate over another block")
    signatures = value["signatures"]
    need(ascending([item["agency"] for item in signatures]), "a certificate does not ascend by agency")
    keys = {member["agency"]: decoded(member["consensus"]) for member in validators}
    text = f"sharelog/precommit/v1\n{origin}\n{height} {value['round']}\n{block}\n".encode("utf-8")
    for item in signatures:
        need(item["agency"] in keys, "a precommit of an agency outside the set")
        need(is_signed(keys[item["agency"]], text, decoded(item["signature"])), "a precommit does not verify")
    need(3 * len(signatures) > 2 * len(validators), "precommits of no more than two thirds of the set")


BLOCK_TAG = "sharelog/block/v1\n"
RECORD_TAG = "sharelog/record/v1\n"


def tagged_json(text, tag):
    """The value of a text of two lines: a tag, and JSON."""
    need(text.startswith(tag) and text.endswith("\n") and len(text) > len(tag), "a leaf of another form")
    return parse_json(text[len(tag):-1].encode("utf-8"))


# A block entry: its position, its block hash in hex, its members.
Entry = namedtuple("Entry", "position digest head")


@functools.lru_cache(maxsize=512)
def parse_entry(leaf, origin):
    """The members of a block entry of this ledger, under rules that this reader knows."""
    entry = tagged_json(leaf, BLOCK_TAG)
    check_shape(entry, BLOCK_ENTRY)
    need(entry["first"] <= entry["position"], "a block entry begins after its end")
    need(entry["ledger"] == origin, "a block entry of another ledger")
    need(entry["rules"] in RULES_KNOWN, "a block entry under rules that this reader does not know")
    return entry


# ---- Records (DESIGN 3 "Record"; INTERFACES "Who signs"; SPEC "Record kinds beyond INTERFACES' table") ----

# Which roles may sign a kind (one line, of one of them), the least and greatest number of its references, the kinds.
KIND_GROUPS = (
    ({"authority"}, 0, 0, "policy.set calendar.set territory.set agency.admit agency.change agency.suspend "
                          "agency.retire validator.add validator.change validator.remove dataset.review"),
    ({"authority"}, 1, 1, "share.extend dispute.refer dispute.decide"),
    ({"head"}, 0, 0, "node.admit node.remove dataset.publish dataset.retire"),
    ({"office"}, 0, 0, "duty.declare duty.retire share.request collect.notice"),
    ({"office"}, 1, 1, "share.supplement share.withdraw share.answer share.deliver share.receipt share.use "
                       "share.dispose correction.file correction.close dispute.file finding.rectify"),
    ({"office", "authority"}, 1, 1, "share.suspend share.resume share.end"),
    ({"inspector"}, 1, 16, "finding.file"),
    ({"inspector"}, 1, 1, "finding.close"),
    ({"office", "head", "authority", "inspector"}, 1, 1, "record.amend"),
    (ROLES, 0, 0, "key.rotate key.revoke"),
)
KINDS = {kind: (roles, least, most) for roles, least, most, kinds in KIND_GROUPS for kind in kinds.split()}
SEVERAL_AUTHORITIES = {"policy.set", "validator.add", "validator.change", "validator.remove"}
SIGNED_APART = {"key.rotate": 2, "key.revoke": 1}  # how many sign; who, is judged by the keys themselves in Registry
KEY_KINDS = {"agency.admit", "key.rotate", "key.revoke"}


# A record whose envelope, body (as far as it is read) and signers' names are right; its signatures are not judged yet.
Record = namedtuple("Record", "record_id by kind body text lines")


@functools.lru_cache(maxsize=512)
def parse_record(leaf, origin):
    """The record of a leaf of this ledger."""
    need(len(leaf.encode("utf-8")) <= RECORD_BYTES_MAX, "a record is longer than 16 KiB")
    text, lines = split_note(leaf)
    head = tagged_json(text, RECORD_TAG)
    check_shape(head, RECORD)
    need(head["ledger"] == origin, "a record of another ledger")
    _, least, most = KINDS[head["kind"]]
    need(least <= len(head["refs"]) <= most, "a record with another number of references than its kind has")
    if head["kind"] in BODIES:
        check_shape(head["body"], BODIES[head["kind"]])
    if head["kind"] == "agency.admit":
        check_admission(head["body"], origin)
    record = Record(sha256(text.encode("utf-8")).hex(), head["by"], head["kind"], head["body"], text, lines)
    check_signers(record, origin)
    return record


AGENCY_SHAPE = {"id": AGENCY, "level": {"city", "district", "street", "community", "outside"}, "line?": LINE,
                "names": {"en?": free_text(200), "zh?": free_text(200)}, "parent?": AGENCY, "scheme": {"plain", "uscc"},
                "territory?": TERRITORY}
RECORD = {"at": check_time, "body": dict, "by": AGENCY, "kind": set(KINDS), "ledger": str, "refs": [HASH], "uid": UID}
BODIES = {
    "agency.admit": {**AGENCY_SHAPE, "keys": [str]},
    "key.rotate": {"key": str, "replaces": str},
    "key.revoke": {"key": str, "reason": free_text(2000), "suspect_from?": check_time},
    "share.deliver": {"batch": LOCAL, "bytes": COUNT, "commitment": HASH, "dataset": DATASET,
                      "mode": {"file", "api", "query"}, "period?": check_period, "rows?": COUNT, "version": POSITIVE},
}


def key_owner(name, origin):
    """Agency and role in the name of an agency's key: `<origin>/agency/<agency>/<role>`."""
    prefix = origin + "/agency/"
    need(name.startswith(prefix), "a key of no agency of this ledger")
    agency, _, role = name[len(prefix):].partition("/")
    need(AGENCY.fullmatch(agency) and role in ROLES, "a key of no agency, or of an unknown role")
    return agency, role


def agency_vkey(text, origin):
    """A verifier key that belongs to an agency: the key, the agency, the role."""
    key = parse_vkey(text)
    need(key.algorithm == NOTE_KEY, "an agency's key has the algorithm of notes")
    return (key, *key_owner(key.name, origin))


def check_signers(record, origin):
    """The lines ascend by (name, key id), none twice, and are those of the roles that the kind wants. How many
    authorities must agree on a policy or a validator is in the policy of the day, so on the validators' word."""
    places = [(line.name.encode("utf-8"), line.key_id) for line in record.lines]
    need(ascending(places), "signature lines do not ascend")
    need(all(len(line.rest) == 64 for line in record.lines), "a signature of another length")
    owners = [key_owner(line.name, origin) for line in record.lines]
    if record.kind in SIGNED_APART:
        need(len(owners) == SIGNED_APART[record.kind], "a change of a key with another number of signatures")
        return
    agencies = [agency for agency, _ in owners]
    need(all(role in KINDS[record.kind][0] for _, role in owners), "a signature of a role that the kind does not want")
    need(record.by in agencies, "the writer of a record did not sign it")
    most = len(set(agencies)) if record.kind in SEVERAL_AUTHORITIES else 1
    need(len(agencies) <= most, "more signatures than the kind wants")


def check_agency(body):
    """What the shape does not say of an agency, admitted or in the genesis file. That its names are not mistaken for
    another's is on the validators' word."""
    need(body["scheme"] == "plain" or is_uscc(body["id"]), "an id that its scheme does not allow")
    need(body["names"], "an agency without a name")
    need("territory" in body or body["level"] == "outside", "an agency without a territory")


def is_uscc(text):
    """GB 32100: 18 characters, of which the last makes the sum with weights 3^i divisible by 31."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    if len(text) != 18 or any(char not in alphabet for char in text):
        return False
    total = sum(alphabet.index(char) * pow(3, place, 31) for place, char in enumerate(text[:17]))
    return alphabet[-total % 31] == text[17]


def check_admission(body, origin):
    """agency.admit: keys of this agency, ascending as texts."""
    check_agency(body)
    need(len(body["keys"]) <= 64 and ascending(body["keys"]), "keys do not ascend, or are more than 64")
    for text in body["keys"]:
        need(agency_vkey(text, origin)[1] == body["id"], "a key of another agency")


class Registry:
    """Keys and agencies that the genesis file and the records read so far brought, and the keys that these ended."""

    def __init__(self, genesis):
        self.origin = genesis.origin
        self.keys = {}
        self.publics = set(genesis.publics)
        self.agencies = set(genesis.agencies)
        self.ended = {}
        for key in genesis.keys:
            self.keys.setdefault((key.name, key.key_id), []).append(key)

    def admit(self, record):
        """Judge the signatures of a record by what came before it, then take in what it brings and ends."""
        if record.kind == "key.rotate":
            self.rotate(record)
        elif record.kind == "key.revoke":
            self.revoke(record)
        else:
            for line in record.lines:
                self.signer(line, record.text)
        if record.kind == "agency.admit":
            need(record.body["id"].lower() not in self.agencies, "an agency is admitted twice")
            self.agencies.add(record.body["id"].lower())
            for text in record.body["keys"]:
                self.register(parse_vkey(text))

    def signer(self, line, text):
        """The trusted key under which a line verifies."""
        for key in self.keys.get((line.name, line.key_id), []):
            if key not in self.ended and line_holds(line, key, text):
                return key
        raise Refused("a signature verifies under no key that is trusted at this place")

    def register(self, key):
        """One key has one use: a public key is registered once, ever."""
        need(key.public not in self.publics, "a public key is registered twice")
        self.publics.add(key.public)
        self.keys.setdefault((key.name, key.key_id), []).append(key)

    def rotate(self, record):
        """SPEC step 8: the new key signs, and the replaced key, the agency's recovery key or an authority consents. The
        writer is one of the two agencies that signed."""
        new, agency, _ = agency_vkey(record.body["key"], self.origin)
        old = parse_vkey(record.body["replaces"])
        need(new.name == old.name and new.public != old.public, "a rotation to another role or to the same key")
        others = [line for line in record.lines if not line_holds(line, new, record.text)]
        need(len(others) == 1, "a rotation that its new key did not sign")
        consenting = self.consent(others[0], record.text, old, agency)
        need(record.by in (agency, consenting), "the writer of a rotation did not sign it")
        if self.ended.get(old) == "revoked":
            self.ended[old] = "replaced"
        else:
            self.end(old, "replaced")
        self.register(new)

    def revoke(self, record):
        """SPEC step 8: the revoked key, the agency's recovery key or an authority signs; it is the writer's."""
        key, agency, _ = agency_vkey(record.body["key"], self.origin)
        signing = self.consent(record.lines[0], record.text, key, agency)
        need(record.by == signing, "the writer of a revocation did not sign it")
        self.end(key, "revoked")

    def end(self, key, how):
        """A key ends once. One that the file did not bring is known from here on, and ended."""
        need(key not in self.ended, "a key ends that has ended")
        if key not in self.keys.get((key.name, key.key_id), []):
            self.register(key)
        self.ended[key] = how

    def consent(self, line, text, key, agency):
        """The agency whose trusted key signed in the place of `key`."""
        signer = self.signer(line, text)
        owner, role = key_owner(signer.name, self.origin)
        right = signer == key or (owner, role) == (agency, "recovery") or role == "authority"
        need(right, "a change of a key without the consent that it needs")
        return owner


# ---- The genesis file (DESIGN 3 "Genesis"; INTERFACES "Genesis") ----

# What is read from a well-formed genesis file: `digest` is its hash in hex, `agencies` their ids in lower case,
# `publics` all its public keys, `keys` those of agencies and `publications` those of nodes, as verifier keys.
Genesis = namedtuple("Genesis", "origin digest created validators agencies publics keys publications")
NODE_SHAPE = {"addresses": [ADDRESS], "agency": AGENCY, "consensus": BYTES_32, "cosigner": BYTES_32, "peer": str,
              "power": COUNT, "publication": BYTES_32, "records": [ADDRESS]}
CLOCKS = ("answer_conditional answer_unconditional backflow catalogue_review catalogue_update correction delivery "
          "dispute mismatch receipt rectification")
EXTENSIONS = "answer backflow catalogue_update dispute mismatch rectification"
POLICY = {
    "authority_threshold": POSITIVE, "block_bytes_max": (16384, INTEGER_MAX), "block_drift_ms": COUNT,
    "block_records_max": POSITIVE, "checkpoint_ms": POSITIVE, "clocks": dict.fromkeys(CLOCKS.split(), COUNT),
    "extensions": dict.fromkeys(EXTENSIONS.split(), COUNT), "heartbeat_ms": (10000, INTEGER_MAX),
    "pause_on_supplement": bool, "record_age_ms_max": COUNT, "rules": POSITIVE, "test_clock?": bool,
    "unreviewed_requestable": bool, "utc_offset_minutes": (0, 840),
}
CALENDAR = {"notice": {"sha256?": HASH, "url": free_text(2000)}, "off": [check_day], "work": [check_day],
            "year": (1, 9999)}
GENESIS = {"agencies": [{**AGENCY_SHAPE, "keys": [{"public": BYTES_32, "role": ROLES}]}], "calendars": [CALENDAR],
           "created": check_time, "format": {"sharelog/genesis/v1"}, "name": LEDGER_NAME, "policy": POLICY,
           "validators": [NODE_SHAPE]}


@functools.lru_cache(maxsize=16)
def read_genesis(raw):
    """The genesis file, well-formed; the origin of its ledger is its name and the beginning of its hash."""
    genesis = parse_json(raw)
    check_shape(genesis, GENESIS)
    need(genesis["policy"]["rules"] in RULES_KNOWN, "rules that this reader does not know")
    for calendar in genesis["calendars"]:
        near = [abs(int(day[:4]) - calendar["year"]) <= 1 for day in calendar["off"] + calendar["work"]]
        need(all(near), "a day of a calendar is far from its year")
    need(ascending([calendar["year"] for calendar in genesis["calendars"]]), "calendars do not ascend by year")
    digest = sha256(raw).hex()
    origin = f"{genesis['name']}/{digest[:16]}"
    keys = genesis_agency_keys(genesis["agencies"], origin)
    ids = frozenset(agency["id"] for agency in genesis["agencies"])
    nodes = genesis["validators"]
    need(all(node["agency"] in ids for node in nodes), "a validator of an agency that the genesis file does not list")
    validators = [{name: node[name] for name in VALIDATOR_SET[0]} for node in nodes]
    check_set(validators)
    publications = [note_key(origin, decoded(node["publication"])) for node in nodes]
    publics = [key.public for key in keys + publications] + [peer_key(node["peer"]) for node in nodes]
    publics += [decoded(member[use]) for member in validators for use in ("consensus", "cosigner")]
    need(len(set(publics)) == len(publics), "the genesis file names a key twice")
    for public in publics:
        check_key(public)
    folded = frozenset(agency.lower() for agency in ids)
    return Genesis(origin, digest, genesis["created"], validators, folded, frozenset(publics), keys, publications)


def genesis_agency_keys(agencies, origin):
    """The agencies' keys, as verifier keys; at least one is an authority's."""
    keys = []
    for agency in agencies:
        check_agency(agency)
        need(ascending([(key["role"], key["public"]) for key in agency["keys"]]), "the keys of an agency do not ascend")
        name = f"{origin}/agency/{agency['id']}/"
        keys += [note_key(name + key["role"], decoded(key["public"])) for key in agency["keys"]]
    ids = [agency["id"] for agency in agencies]
    need(ascending(ids), "agencies do not ascend")
    need(len({text.lower() for text in ids}) == len(ids), "two agencies differ in letter case alone")
    need(any(key.name.endswith("/authority") for key in keys), "a genesis file without an authority")
    return keys


def peer_key(text):
    """The Ed25519 key in a peer id: base58btc of an identity multihash of the key in protobuf (libp2p peer ids)."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    prefix, number = bytes.fromhex("002408011220"), 0
    need(len(text) <= 64 and all(char in alphabet for char in text), "a peer id is malformed")
    for char in text:
        number = number * 58 + alphabet.index(char)
    raw = number.to_bytes(64, "big")[-38:]
    need(text[:1] == "1" and text[1:2] != "1" and number < 256**37 and raw.startswith(prefix), "a peer id is malformed")
    return raw[len(prefix):]


# ---- Evidence (SPEC "Evidence", steps 1 to 10) ----

LEAF = {"leaf": str, "position": COUNT, "proof": [BYTES_32]}
OPENING = {"bytes": COUNT, "format": {"sharelog/opening/v1"}, "record": HASH, "salt": BYTES_32, "sha256": HASH}
EVIDENCE = {"blocks": [LEAF], "checkpoint": str, "entries": [LEAF], "format": {"sharelog/evidence/v1"},
            "genesis": lambda value: None,  # step 2 judges it
            "handovers": [{"certificate": CERTIFICATE, "entry": LEAF, "validators": VALIDATOR_SET}],
            "head": LEAF, "keys": [LEAF], "openings": [OPENING]}


class Check:
    """One evidence file on its way through the steps; each is a method of the step's name and refuses or returns."""

    def __init__(self, raw, genesis, pin):
        self.raw = raw
        self.pinned_genesis = genesis if len(genesis) == 32 else sha256(genesis)
        self.pinned_checkpoint = pin
        self.covered = False  # whether the pin says something about the whole file
        self.roots = {}  # by size: the roots that the checkpoint and the proofs of the file show
        self.entries = {}  # by position: the block entries of the file
        self.claims = []
        self.deliveries = {}
        self.cosigners = []

    def form(self):
        """1. Canonical, at most 4 MiB, the documented members alone, lists in order."""
        need(len(self.raw) <= EVIDENCE_BYTES_MAX, "the file is longer than 4 MiB")
        self.file = parse_json(self.raw, NEWLINE_MEMBERS)
        check_shape(self.file, EVIDENCE)
        lists = [self.file["blocks"], self.file["entries"], self.file["keys"]]
        for items in [*lists, [handover["entry"] for handover in self.file["handovers"]]]:
            need(ascending([item["position"] for item in items]), "a list does not ascend by position")
        for handover in self.file["handovers"]:
            check_set(handover["validators"])
            agencies = [item["agency"] for item in handover["certificate"]["signatures"]]
            need(ascending(agencies), "a certificate does not ascend by agency")
            need(len(agencies) <= max(SET_MEMBERS), "a certificate has more signatures than a set has members")
        records = [opening["record"] for opening in self.file["openings"]]
        need(len(set(records)) == len(records), "two openings of one record")

    def genesis(self):
        """2. The file's genesis is the pinned one, and well-formed."""
        raw = canonical(self.file["genesis"])
        need(sha256(raw) == self.pinned_genesis, "the genesis in the file is not the pinned one")
        self.start = read_genesis(raw)
        self.sets = [(1, set_hash(self.start.validators))]  # first heights and hashes of the sets reached so far
        self.members = self.start.validators

    def checkpoint(self):
        """3. A note of three lines under the origin. Its lines are judged when the judging set is known."""
        self.top = parse_checkpoint(self.file["checkpoint"])
        need(self.top.origin == self.start.origin, "the checkpoint is of another ledger")
        self.roots[self.top.size] = self.top.root

    def prove(self, item):
        """The leaf hash of an item, after its inclusion proof led to the checkpoint's root."""
        digest = leaf_hash(item["leaf"].encode("utf-8"))
        proof = [decoded(sibling) for sibling in item["proof"]]
        roots = inclusion(item["position"], self.top.size, digest, proof)
        need(roots.whole == self.top.root, "an inclusion proof does not lead to the checkpoint's root")
        self.roots[item["position"]] = roots.before
        self.roots[item["position"] + 1] = roots.through
        return digest

    def entry(self, item):
        """A block entry: in the tree, of this ledger, and right about its own place and the root before it."""
        digest, head = self.prove(item), parse_entry(item["leaf"], self.start.origin)
        need(head["position"] == item["position"], "a block entry names another position")
        need(bytes.fromhex(head["root"]) == self.roots[item["position"]], "a block entry names another root")
        found = Entry(item["position"], digest.hex(), head)
        self.entries[found.position] = found
        return found

    def handovers(self):
        """4. From the genesis' set to the last one: each time an entry certified by the old set names the new one."""
        for handover in self.file["handovers"]:
            entry, new = self.entry(handover["entry"]), handover["validators"]
            need(entry.head["validators"] == self.sets[-1][1], "a handover by a set that was not reached")
            need(entry.head["next"] == set_hash(new), "a handover to another set than its entry names")
            need(entry.head["next"] != entry.head["validators"], "a handover to the same set")
            check_certificate(handover["certificate"], self.start.origin, entry, self.members)
            check_set(new)
            self.sets.append((entry.head["height"] + 1, set_hash(new)))
            self.members = new

    def head(self):
        """5. The last leaf is a block entry, judged by the last set reached."""
        need(self.file["head"]["position"] == self.top.size - 1, "the head is not the last leaf")
        self.last = self.entry(self.file["head"])
        need(self.last.head["validators"] == self.sets[-1][1], "the head names another set than the last one reached")
        need(self.last.head["height"] >= self.sets[-1][0], "the head is below the last handover")

    def signatures(self):
        """6. Each line of the checkpoint verifies: by genesis publication keys, if any, and by the set's members."""
        cosigners = {f"{self.start.origin}/validator/{member['agency']}": member for member in self.members}
        need(len({line[:2] for line in self.top.lines}) == len(self.top.lines), "a line of the checkpoint stands twice")
        for line in self.top.lines:
            if line.name == self.start.origin:
                good = any(line_holds(line, key, self.top.text) for key in self.start.publications)
            else:
                need(line.name in cosigners, "a line of the checkpoint by a stranger")
                public = decoded(cosigners[line.name]["cosigner"])
                key = Key(line.name, key_id(line.name, COSIGNER_KEY, public), COSIGNER_KEY, public)
                good = line_holds(line, key, self.top.text)
                self.cosigners.append(cosigners[line.name]["agency"])
            need(good, "a line of the checkpoint does not verify")
        need(len(set(self.cosigners)) == len(self.cosigners), "a cosigner stands twice")
        need(3 * len(self.cosigners) > 2 * len(self.members), "cosigners are no more than two thirds of the set")

    def blocks(self):
        """7. All block entries of the file agree. The genesis stands for a block 0 before the first leaf."""
        for item in self.file["blocks"]:
            self.entry(item)
        start = {"height": 0, "time": self.start.created, "next": self.sets[0][1]}
        before = Entry(-1, self.start.digest, start)
        for _, entry in sorted(self.entries.items()):
            self.follows(before, entry)
            before = entry

    def follows(self, before, entry):
        """One entry and the next that the file has: linked, or with room for the entries between them."""
        gap = entry.head["height"] - before.head["height"]
        need(gap > 0, "heights do not rise")
        need(entry.head["time"] > before.head["time"], "times do not rise")
        if gap == 1:
            need(entry.head["previous"] == before.digest, "a block does not link to the one before")
            need(entry.head["first"] == before.position + 1, "a block does not begin where the one before ended")
            need(entry.head["validators"] == before.head["next"], "a block's set is not the `next` of the one before")
        need(entry.head["first"] >= before.position + gap, "no room for the blocks between two")
        height, is_head = entry.head["height"], entry.position == self.last.position
        need(entry.head["validators"] == self.set_of(height), "a block names another set than its height has")
        right = entry.head["next"] == self.set_of(height + 1)
        need(right or is_head, "a block names another next set than its height has")

    def set_of(self, height):
        """The hash of the set that judges a height."""
        return self.sets[bisect.bisect_right([first for first, _ in self.sets], height) - 1][1]

    def records(self):
        """8. Records of keys, and the records that the file is about, in the ledger's order."""
        registry, ids = Registry(self.start), set()
        items = [(item["position"], False, item) for item in self.file["keys"]]
        items += [(item["position"], True, item) for item in self.file["entries"]]
        for position, is_claim, item in sorted(items, key=lambda part: part[:2]):
            self.prove(item)
            record = parse_record(item["leaf"], self.start.origin)
            need(is_claim or record.kind in KEY_KINDS, "a record among the keys that is about no key")
            need(record.record_id not in ids, "a record stands twice")
            ids.add(record.record_id)
            registry.admit(record)
            if is_claim:
                self.claim(position, record)

    def claim(self, position, record):
        """A record of `entries` lies in one of `blocks`, which says when it was committed."""
        blocks = self.file["blocks"]
        place = bisect.bisect_right([block["position"] for block in blocks], position)
        need(place < len(blocks), "a record lies in none of the blocks")
        block = self.entries[blocks[place]["position"]].head
        need(block["first"] <= position, "a record lies in none of the blocks")
        self.claims.append({"by": record.by, "height": block["height"], "id": record.record_id, "kind": record.kind,
                            "position": position, "time": block["time"]})
        if record.kind == "share.deliver":
            self.deliveries[record.record_id] = record.body

    def openings(self):
        """9. Openings belong to deliveries of the file and open their commitments."""
        for opening in self.file["openings"]:
            need(opening["record"] in self.deliveries, "an opening of no delivery in the file")
            delivery = self.deliveries[opening["record"]]
            need(opening["bytes"] == delivery["bytes"], "an opening of another size")
            need(commitment(opening) == delivery["commitment"], "an opening of another commitment")

    def pin(self):
        """10. A checkpoint that the reader holds has the same root where the two can be compared. The reader vouches
        for it, so its signatures are not judged."""
        if self.pinned_checkpoint is None:
            return
        try:
            text = self.pinned_checkpoint.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("the pin is no text") from None
        if text.startswith(TLOG_PROOF):
            index, proof, held = parse_tlog_proof(text)
            roots = inclusion(self.last.position, held.size, bytes.fromhex(self.last.digest), proof)
            need(index == self.last.position, "the pin proves another leaf than the head")
            need(roots.whole == held.root and roots.through == self.top.root, "the pin holds another history")
        else:
            held = parse_checkpoint(text)
            need(held.size in self.roots, "the pin cannot be compared with the file")
            need(held.root == self.roots[held.size], "the pin holds another history")
        need(held.origin == self.start.origin, "the pin is of another ledger")
        self.covered = held.size >= self.top.size

    def word(self):
        """On whose word the claims stand."""
        return {"cosigners": sorted(self.cosigners), "members": [member["agency"] for member in self.members],
                "origin": self.start.origin, "root": self.top.root.hex(), "size": self.top.size}


STEPS = ("form", "genesis", "checkpoint", "handovers", "head", "signatures", "blocks", "records", "openings", "pin")


def commitment(opening):
    """SPEC "Commitments"."""
    return sha256(b"sharelog/commitment/v1\n", decoded(opening["salt"]), bytes.fromhex(opening["sha256"])).hex()


def not_shown(size, covered):
    """What no evidence file shows. The last sentence falls away when a pin of this size or a larger one agrees."""
    sentences = [
        f"anything after the first {size} leaves: what came later, or did not come",
        "any amendment, revocation, rotation, dispute or answer that is not in the file",
        "that the records were admissible when they were committed, other than by the word of more than two thirds of "
        "the validators",
        "that the data behind a commitment is true; a receipt shows what the other side saw",
        "that no corrupt quorum signed another history beside this one",
        "that no stolen keys of a past validator set made this one; compare with a checkpoint you hold (--pin)",
    ]
    return sentences[:-1] if covered else sentences


def verify(evidence, genesis, pin=None):
    """The verdict over the bytes of an evidence file. `genesis` is the 32-byte hash that the reader pins, or the
    genesis file; `pin` a checkpoint that the reader holds, if any. Pure, and never raises for any bytes."""
    check = Check(evidence, genesis, pin)
    for step in STEPS:
        try:
            getattr(check, step)()
        except Refused as refused:
            return {"claims": [], "failed": f"{step}: {refused}", "not_shown": [], "ok": False,
                    "word": {"cosigners": [], "members": [], "origin": "", "root": "", "size": 0}}
    unseen = not_shown(check.top.size, check.covered)
    return {"claims": check.claims, "not_shown": unseen, "ok": True, "word": check.word()}


# ---- The vectors beside this file ----


def is_refused(function, *values):
    """Whether a function refuses the values; texts that are not UTF-8 are refused before it sees them."""
    try:
        function(*values)
    except (Refused, UnicodeDecodeError):
        return True
    return False


def all_refused(cases, function):
    """For each bad case, whether its bytes are refused. The codes are words of the ledger's interface."""
    return [is_refused(function, bytes.fromhex(case["hex"])) for case in cases["bad"]]


def vectors_json(cases, _):
    """Texts that are canonical, and texts that are not."""
    results = [not is_refused(parse_json, text.encode("utf-8")) for text in cases["good"]]
    return results + all_refused(cases, parse_json)


def vectors_notes(cases, _):
    """Notes and verifier keys."""
    results = []
    for case in cases["notes"]:
        text, lines = split_note(case["note"])
        results.append(text == case["text"] and line_holds(lines[0], parse_vkey(case["vkey"]), text))
    for case in cases["vkeys"]:
        key = parse_vkey(case["vkey"])
        results.append((key.key_id.hex(), key.public.hex()) == (case["id"], case["public"]))
    results += all_refused({"bad": cases["bad_notes"]}, lambda raw: split_note(raw.decode("utf-8")))
    return results + all_refused({"bad": cases["bad_vkeys"]}, lambda raw: parse_vkey(raw.decode("utf-8")))


def vectors_records(cases, start):
    """Envelopes, ids and leaf hashes; the good ones are one history, so their signatures are judged too."""
    registry, results = Registry(start), [cases["origin"] == [start.origin]]
    for case in cases["good"]:
        record = parse_record(case["leaf"], start.origin)
        registry.admit(record)
        digest = leaf_hash(case["leaf"].encode("utf-8")).hex()
        results.append((record.record_id, record.kind, digest) == (case["id"], case["kind"], case["leaf_hash"]))
    return results + all_refused(cases, lambda raw: parse_record(raw.decode("utf-8"), start.origin))


def vectors_commitments(cases, _):
    """Openings."""
    results = []
    for case in cases["good"]:
        check_shape(case["opening"], OPENING)
        payload = bytes.fromhex(case["payload"])
        right = (case["opening"]["bytes"], case["opening"]["sha256"]) == (len(payload), sha256(payload).hex())
        results.append(right and commitment(case["opening"]) == case["commitment"])
    return results + all_refused(cases, lambda raw: check_shape(parse_json(raw), OPENING))


def tree_root(hashes):
    """RFC 9162, 2.1.1: the root over leaf hashes, level by level; a node without a sibling rises as it is."""
    while len(hashes) > 1:
        pairs = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2])]
        hashes = pairs + hashes[len(pairs) * 2:]
    return hashes[0] if hashes else sha256()


def is_consistent(case):
    """RFC 9162, 2.1.4.2."""
    first, second = bytes.fromhex(case["from_root"]), bytes.fromhex(case["to_root"])
    path = [decoded(sibling, 32) for sibling in case["proof"]]
    if case["from"] == case["to"]:
        return not path and first == second
    if case["from"] & (case["from"] - 1) == 0:
        path = [first] + path
    fn, sn = case["from"] - 1, case["to"] - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (old, new) == (first, second)


def vectors_trees(cases, _):
    """Roots, inclusion proofs with the two roots to the left, consistency proofs."""
    sizes = [case["size"] for case in cases["roots"]]
    leaves = [leaf_hash(str(number).encode()) for number in range(max(sizes))]
    results = [tree_root(leaves[:case["size"]]).hex() == case["root"] for case in cases["roots"]]
    for case in cases["inclusion"]:
        leaf, proof = bytes.fromhex(case["leaf_hash"]), [decoded(sibling, 32) for sibling in case["proof"]]
        roots = inclusion(case["position"], case["size"], leaf, proof)
        results.append(leaf == leaves[case["position"]] and roots.whole.hex() == case["root"])
        results.append(roots.before == tree_root(leaves[:case["position"]]))
        results.append(roots.through == tree_root(leaves[:case["position"] + 1]))
        results.append(is_refused(inclusion, case["position"], case["size"], leaf, proof + [leaf]))
    return results + [is_consistent(case) for case in cases["consistency"]]


def vectors_entries(cases, start):
    """Block entries."""
    results = []
    for case in cases["good"]:
        parse_entry(case["leaf"], start.origin)
        results.append(leaf_hash(case["leaf"].encode("utf-8")).hex() == case["hash"])
    return results + all_refused(cases, lambda raw: parse_entry(raw.decode("utf-8"), start.origin))


def vectors_certificates(cases, start):
    """Sets, texts signed with a consensus key, and certificates over one block of the first set."""
    good = parse_json(cases["good"][0].encode("utf-8"))
    block = Entry(0, good["block"], {"height": 3})

    def judge(raw):
        value = parse_json(raw)
        check_shape(value, CERTIFICATE)
        check_certificate(value, start.origin, block, start.validators)

    results = [not is_refused(judge, text.encode("utf-8")) for text in cases["good"]]
    for case in cases["sets"]:
        check_shape(case["validators"], VALIDATOR_SET)
        check_set(case["validators"])
        results.append(set_hash(case["validators"]) == case["hash"])
    consensus = decoded(start.validators[0]["consensus"])
    for case in cases["texts"]:
        begins = case["text"].startswith(f"sharelog/{case['what']}/v1\n{start.origin}\n")
        results.append(begins and is_signed(consensus, case["text"].encode("utf-8"), decoded(case["signature"])))
    return results + all_refused(cases, judge)


def vectors_checkpoints(cases, _):
    """Checkpoints, each line of which a key of the policy signed."""
    results = []
    for case in cases["good"]:
        top = parse_checkpoint(case["note"])
        words = [line.split(" ") for line in case["policy"].splitlines()]
        keys = [parse_vkey(line[-1]) for line in words if line[0] in ("log", "witness")]
        signed = all(any(line_holds(line, key, top.text) for key in keys) for line in top.lines)
        results.append(signed and (top.root.hex(), top.size) == (case["root"], case["size"]))
    return results + all_refused(cases, lambda raw: parse_checkpoint_text(raw.decode("utf-8")))


def vectors_proofs(cases, start):
    """Single proofs."""
    results = []
    for case in cases["good"]:
        index, proof, top = parse_tlog_proof(case["proof"])
        roots = inclusion(index, top.size, leaf_hash(case["leaf"].encode("utf-8")), proof)
        record = parse_record(case["leaf"], start.origin)
        results.append((roots.whole, record.record_id) == (top.root, case["record"]))
    return results + all_refused(cases, lambda raw: parse_tlog_proof(raw.decode("utf-8")))


def changed(value, path, change):
    """A copy of a JSON value with one change: set, replace, remove, repeat or add, at a path of members and indexes."""
    value = json.loads(json.dumps(value))
    *way, last = path.split("/")
    parent = value
    for part in way:
        parent = parent[int(part) if type(parent) is list else part]
    last = int(last) if type(parent) is list else last
    if "set" in change:
        parent[last] = change["set"]
    elif "replace" in change:
        parent[last] = parent[last].replace(change["replace"], change["with"], 1)
    elif "remove" in change:
        del parent[last]
    elif "repeat" in change:
        parent.insert(last, parent[last])
    else:
        parent[last][change["add"]] = ""
    return value


def vectors_evidence(cases, start, good):
    """The verdict over the good file, and the step that refuses each change of it."""
    digest = bytes.fromhex(start.digest)
    verdict = verify(canonical(good), digest)
    del verdict["word"]
    results = [verdict == case for case in cases["verdict"]]
    for case in cases["mutations"]:
        spoiled = canonical(changed(good, case["place"], case["change"]))
        results.append(verify(spoiled, digest).get("failed", "").startswith(case["fails"] + ":"))
    return results


VECTORS = {"json": vectors_json, "notes": vectors_notes, "records": vectors_records, "commitments": vectors_commitments,
           "trees": vectors_trees, "entries": vectors_entries, "certificates": vectors_certificates,
           "checkpoints": vectors_checkpoints, "proofs": vectors_proofs}


def check_vectors(folder):
    """Print a count for each file of vectors that a verifier can check (tiles are for mirrors); the exit code."""
    folder, agreed = pathlib.Path(folder), True
    start = read_genesis((folder / "genesis.json").read_bytes())
    good = (folder / "good.evidence.json").read_bytes()
    tests = {**VECTORS, "good.evidence": lambda *_: [verify(good, bytes.fromhex(start.digest))["ok"]],
             "evidence": lambda cases, _: vectors_evidence(cases, start, json.loads(good))}
    for name, function in tests.items():
        cases = json.loads((folder / f"{name}.json").read_bytes())
        try:
            results = function(cases, start)
        except (Refused, KeyError) as refused:
            print(f"{name}.json: a good case was refused: {refused}")
            results = [False]
        print(f"{name + '.json':20} {sum(results)} of {len(results)} agree")
        agreed = agreed and all(results)
    return EXIT_OK if agreed else EXIT_REFUSED


# ---- Command line ----

EXAMPLES = """examples:
  verify.py delivery.evidence.json --genesis genesis.json
  verify.py delivery.evidence.json --genesis 4d4c1df1...2a8509 --pin checkpoint.txt --json

exit codes: 0 verified, 1 refused, 2 wrong use, 6 a file cannot be read"""


def parse_arguments():
    """The arguments, or exit 2."""
    parser = argparse.ArgumentParser(description="Verify a sharelog evidence file offline.", epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", metavar="FILE", help="the evidence file")
    parser.add_argument("--genesis", metavar="HEX|FILE", help="the genesis hash you trust, or the genesis file")
    parser.add_argument("--pin", metavar="FILE", help="a checkpoint, or a tlog-proof of the head, that you hold")
    parser.add_argument("--json", action="store_true", help="print the verdict as one line of JSON")
    parser.add_argument("--batch", action="store_true", help="judge lines of JSON from standard input, with base64 "
                        "`evidence`, hex `genesis` and, if any, base64 `pin`; one verdict a line")
    parser.add_argument("--vectors", metavar="DIR", help="check the test vectors in a folder")
    arguments = parser.parse_args()
    if [arguments.batch, arguments.vectors is not None, arguments.file is not None].count(True) != 1:
        parser.error("give one of FILE, --batch and --vectors")
    if arguments.file is not None and arguments.genesis is None:
        parser.error("--genesis is needed")
    return arguments


def answer(line):
    """The verdict over one line of a batch."""
    try:
        case = json.loads(line)
        pin = None if case.get("pin") is None else decoded(case["pin"])
        return verify(decoded(case["evidence"]), bytes.fromhex(case["genesis"]), pin)
    except (Refused, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"error": "the line is no object with base64 `evidence`, hex `genesis` and, if any, base64 `pin`"}


def compact(verdict):
    """One line of JSON."""
    return json.dumps(verdict, sort_keys=True, separators=(",", ":"))


def run_batch():
    """One verdict for each line of standard input."""
    for line in sys.stdin.buffer:
        print(compact(answer(line)), flush=True)
    return EXIT_OK


def tell(verdict, pinned):
    """The verdict for people."""
    failed, _, why = verdict.get("failed", "").partition(": ")
    for step in STEPS:
        if step == failed:
            print(f"{step:12} refused: {why}")
            print("\nREFUSED. Nothing in this file is proven.")
            return
        print(f"{step:12} {'not given' if step == 'pin' and not pinned else 'ok'}")
    print("\nVERIFIED. Proven:")
    for claim in verdict["claims"]:
        print(f"  {claim['kind']} signed by {claim['by']}, committed in block {claim['height']} at {claim['time']},")
        print(f"    at position {claim['position']}, id {claim['id']}")
    word = verdict["word"]
    print(f"\nOn the word of {len(word['cosigners'])} of the {len(word['members'])} validators of {word['origin']}:")
    print(f"  {', '.join(word['cosigners'])}")
    print(f"  for the ledger of {word['size']} leaves with the root {word['root']}\n\nNot shown:")
    for sentence in verdict["not_shown"]:
        print(f"  {sentence}")


def run_file(arguments):
    """Judge one file."""
    with open(arguments.file, "rb") as file:
        evidence = file.read(EVIDENCE_BYTES_MAX + 1)
    is_hash = HASH.fullmatch(arguments.genesis)
    genesis = bytes.fromhex(arguments.genesis) if is_hash else pathlib.Path(arguments.genesis).read_bytes()
    pin = None if arguments.pin is None else pathlib.Path(arguments.pin).read_bytes()
    verdict = verify(evidence, genesis, pin)
    if arguments.json:
        print(compact(verdict))
    else:
        tell(verdict, pin is not None)
    return EXIT_OK if verdict["ok"] else EXIT_REFUSED


def main():
    """Exit 0 verified, 1 refused, 2 wrong use, 6 unreadable file."""
    arguments = parse_arguments()
    try:
        if arguments.batch:
            return run_batch()
        if arguments.vectors is not None:
            return check_vectors(arguments.vectors)
        return run_file(arguments)
    except OSError as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return EXIT_UNREADABLE


# ---- Unicode 16.0, for Pythons that know another version ----

# Code points assigned in Unicode 16.0 (general category neither Cn nor Cs), as ranges in hex.
ASSIGNED = """
0-377 37A-37F 384-38A 38C 38E-3A1 3A3-52F 531-556 559-58A 58D-58F 591-5C7 5D0-5EA 5EF-5F4 600-70D 70F-74A 74D-7B1
7C0-7FA 7FD-82D 830-83E 840-85B 85E 860-86A 870-88E 890-891 897-983 985-98C 98F-990 993-9A8 9AA-9B0 9B2 9B6-9B9
9BC-9C4 9C7-9C8 9CB-9CE 9D7 9DC-9DD 9DF-9E3 9E6-9FE A01-A03 A05-A0A A0F-A10 A13-A28 A2A-A30 A32-A33 A35-A36 A38-A39
A3C A3E-A42 A47-A48 A4B-A4D A51 A59-A5C A5E A66-A76 A81-A83 A85-A8D A8F-A91 A93-AA8 AAA-AB0 AB2-AB3 AB5-AB9 ABC-AC5
AC7-AC9 ACB-ACD AD0 AE0-AE3 AE6-AF1 AF9-AFF B01-B03 B05-B0C B0F-B10 B13-B28 B2A-B30 B32-B33 B35-B39 B3C-B44 B47-B48
B4B-B4D B55-B57 B5C-B5D B5F-B63 B66-B77 B82-B83 B85-B8A B8E-B90 B92-B95 B99-B9A B9C B9E-B9F BA3-BA4 BA8-BAA BAE-BB9
BBE-BC2 BC6-BC8 BCA-BCD BD0 BD7 BE6-BFA C00-C0C C0E-C10 C12-C28 C2A-C39 C3C-C44 C46-C48 C4A-C4D C55-C56 C58-C5A C5D
C60-C63 C66-C6F C77-C8C C8E-C90 C92-CA8 CAA-CB3 CB5-CB9 CBC-CC4 CC6-CC8 CCA-CCD CD5-CD6 CDD-CDE CE0-CE3 CE6-CEF
CF1-CF3 D00-D0C D0E-D10 D12-D44 D46-D48 D4A-D4F D54-D63 D66-D7F D81-D83 D85-D96 D9A-DB1 DB3-DBB DBD DC0-DC6 DCA
DCF-DD4 DD6 DD8-DDF DE6-DEF DF2-DF4 E01-E3A E3F-E5B E81-E82 E84 E86-E8A E8C-EA3 EA5 EA7-EBD EC0-EC4 EC6 EC8-ECE
ED0-ED9 EDC-EDF F00-F47 F49-F6C F71-F97 F99-FBC FBE-FCC FCE-FDA 1000-10C5 10C7 10CD 10D0-1248 124A-124D 1250-1256
1258 125A-125D 1260-1288 128A-128D 1290-12B0 12B2-12B5 12B8-12BE 12C0 12C2-12C5 12C8-12D6 12D8-1310 1312-1315
1318-135A 135D-137C 1380-1399 13A0-13F5 13F8-13FD 1400-169C 16A0-16F8 1700-1715 171F-1736 1740-1753 1760-176C
176E-1770 1772-1773 1780-17DD 17E0-17E9 17F0-17F9 1800-1819 1820-1878 1880-18AA 18B0-18F5 1900-191E 1920-192B
1930-193B 1940 1944-196D 1970-1974 1980-19AB 19B0-19C9 19D0-19DA 19DE-1A1B 1A1E-1A5E 1A60-1A7C 1A7F-1A89 1A90-1A99
1AA0-1AAD 1AB0-1ACE 1B00-1B4C 1B4E-1BF3 1BFC-1C37 1C3B-1C49 1C4D-1C8A 1C90-1CBA 1CBD-1CC7 1CD0-1CFA 1D00-1F15
1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FC4 1FC6-1FD3 1FD6-1FDB 1FDD-1FEF
1FF2-1FF4 1FF6-1FFE 2000-2064 2066-2071 2074-208E 2090-209C 20A0-20C0 20D0-20F0 2100-218B 2190-2429 2440-244A
2460-2B73 2B76-2B95 2B97-2CF3 2CF9-2D25 2D27 2D2D 2D30-2D67 2D6F-2D70 2D7F-2D96 2DA0-2DA6 2DA8-2DAE 2DB0-2DB6
2DB8-2DBE 2DC0-2DC6 2DC8-2DCE 2DD0-2DD6 2DD8-2DDE 2DE0-2E5D 2E80-2E99 2E9B-2EF3 2F00-2FD5 2FF0-303F 3041-3096
3099-30FF 3105-312F 3131-318E 3190-31E5 31EF-321E 3220-A48C A490-A4C6 A4D0-A62B A640-A6F7 A700-A7CD A7D0-A7D1 A7D3
A7D5-A7DC A7F2-A82C A830-A839 A840-A877 A880-A8C5 A8CE-A8D9 A8E0-A953 A95F-A97C A980-A9CD A9CF-A9D9 A9DE-A9FE
AA00-AA36 AA40-AA4D AA50-AA59 AA5C-AAC2 AADB-AAF6 AB01-AB06 AB09-AB0E AB11-AB16 AB20-AB26 AB28-AB2E AB30-AB6B
AB70-ABED ABF0-ABF9 AC00-D7A3 D7B0-D7C6 D7CB-D7FB E000-FA6D FA70-FAD9 FB00-FB06 FB13-FB17 FB1D-FB36 FB38-FB3C FB3E
FB40-FB41 FB43-FB44 FB46-FBC2 FBD3-FD8F FD92-FDC7 FDCF FDF0-FE19 FE20-FE52 FE54-FE66 FE68-FE6B FE70-FE74 FE76-FEFC
FEFF FF01-FFBE FFC2-FFC7 FFCA-FFCF FFD2-FFD7 FFDA-FFDC FFE0-FFE6 FFE8-FFEE FFF9-FFFD 10000-1000B 1000D-10026
10028-1003A 1003C-1003D 1003F-1004D 10050-1005D 10080-100FA 10100-10102 10107-10133 10137-1018E 10190-1019C 101A0
101D0-101FD 10280-1029C 102A0-102D0 102E0-102FB 10300-10323 1032D-1034A 10350-1037A 10380-1039D 1039F-103C3
103C8-103D5 10400-1049D 104A0-104A9 104B0-104D3 104D8-104FB 10500-10527 10530-10563 1056F-1057A 1057C-1058A
1058C-10592 10594-10595 10597-105A1 105A3-105B1 105B3-105B9 105BB-105BC 105C0-105F3 10600-10736 10740-10755
10760-10767 10780-10785 10787-107B0 107B2-107BA 10800-10805 10808 1080A-10835 10837-10838 1083C 1083F-10855
10857-1089E 108A7-108AF 108E0-108F2 108F4-108F5 108FB-1091B 1091F-10939 1093F 10980-109B7 109BC-109CF 109D2-10A03
10A05-10A06 10A0C-10A13 10A15-10A17 10A19-10A35 10A38-10A3A 10A3F-10A48 10A50-10A58 10A60-10A9F 10AC0-10AE6
10AEB-10AF6 10B00-10B35 10B39-10B55 10B58-10B72 10B78-10B91 10B99-10B9C 10BA9-10BAF 10C00-10C48 10C80-10CB2
10CC0-10CF2 10CFA-10D27 10D30-10D39 10D40-10D65 10D69-10D85 10D8E-10D8F 10E60-10E7E 10E80-10EA9 10EAB-10EAD
10EB0-10EB1 10EC2-10EC4 10EFC-10F27 10F30-10F59 10F70-10F89 10FB0-10FCB 10FE0-10FF6 11000-1104D 11052-11075
1107F-110C2 110CD 110D0-110E8 110F0-110F9 11100-11134 11136-11147 11150-11176 11180-111DF 111E1-111F4 11200-11211
11213-11241 11280-11286 11288 1128A-1128D 1128F-1129D 1129F-112A9 112B0-112EA 112F0-112F9 11300-11303 11305-1130C
1130F-11310 11313-11328 1132A-11330 11332-11333 11335-11339 1133B-11344 11347-11348 1134B-1134D 11350 11357
1135D-11363 11366-1136C 11370-11374 11380-11389 1138B 1138E 11390-113B5 113B7-113C0 113C2 113C5 113C7-113CA
113CC-113D5 113D7-113D8 113E1-113E2 11400-1145B 1145D-11461 11480-114C7 114D0-114D9 11580-115B5 115B8-115DD
11600-11644 11650-11659 11660-1166C 11680-116B9 116C0-116C9 116D0-116E3 11700-1171A 1171D-1172B 11730-11746
11800-1183B 118A0-118F2 118FF-11906 11909 1190C-11913 11915-11916 11918-11935 11937-11938 1193B-11946 11950-11959
119A0-119A7 119AA-119D7 119DA-119E4 11A00-11A47 11A50-11AA2 11AB0-11AF8 11B00-11B09 11BC0-11BE1 11BF0-11BF9
11C00-11C08 11C0A-11C36 11C38-11C45 11C50-11C6C 11C70-11C8F 11C92-11CA7 11CA9-11CB6 11D00-11D06 11D08-11D09
11D0B-11D36 11D3A 11D3C-11D3D 11D3F-11D47 11D50-11D59 11D60-11D65 11D67-11D68 11D6A-11D8E 11D90-11D91 11D93-11D98
11DA0-11DA9 11EE0-11EF8 11F00-11F10 11F12-11F3A 11F3E-11F5A 11FB0 11FC0-11FF1 11FFF-12399 12400-1246E 12470-12474
12480-12543 12F90-12FF2 13000-13455 13460-143FA 14400-14646 16100-16139 16800-16A38 16A40-16A5E 16A60-16A69
16A6E-16ABE 16AC0-16AC9 16AD0-16AED 16AF0-16AF5 16B00-16B45 16B50-16B59 16B5B-16B61 16B63-16B77 16B7D-16B8F
16D40-16D79 16E40-16E9A 16F00-16F4A 16F4F-16F87 16F8F-16F9F 16FE0-16FE4 16FF0-16FF1 17000-187F7 18800-18CD5
18CFF-18D08 1AFF0-1AFF3 1AFF5-1AFFB 1AFFD-1AFFE 1B000-1B122 1B132 1B150-1B152 1B155 1B164-1B167 1B170-1B2FB
1BC00-1BC6A 1BC70-1BC7C 1BC80-1BC88 1BC90-1BC99 1BC9C-1BCA3 1CC00-1CCF9 1CD00-1CEB3 1CF00-1CF2D 1CF30-1CF46
1CF50-1CFC3 1D000-1D0F5 1D100-1D126 1D129-1D1EA 1D200-1D245 1D2C0-1D2D3 1D2E0-1D2F3 1D300-1D356 1D360-1D378
1D400-1D454 1D456-1D49C 1D49E-1D49F 1D4A2 1D4A5-1D4A6 1D4A9-1D4AC 1D4AE-1D4B9 1D4BB 1D4BD-1D4C3 1D4C5-1D505
1D507-1D50A 1D50D-1D514 1D516-1D51C 1D51E-1D539 1D53B-1D53E 1D540-1D544 1D546 1D54A-1D550 1D552-1D6A5 1D6A8-1D7CB
1D7CE-1DA8B 1DA9B-1DA9F 1DAA1-1DAAF 1DF00-1DF1E 1DF25-1DF2A 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024
1E026-1E02A 1E030-1E06D 1E08F 1E100-1E12C 1E130-1E13D 1E140-1E149 1E14E-1E14F 1E290-1E2AE 1E2C0-1E2F9 1E2FF
1E4D0-1E4F9 1E5D0-1E5FA 1E5FF 1E7E0-1E7E6 1E7E8-1E7EB 1E7ED-1E7EE 1E7F0-1E7FE 1E800-1E8C4 1E8C7-1E8D6 1E900-1E94B
1E950-1E959 1E95E-1E95F 1EC71-1ECB4 1ED01-1ED3D 1EE00-1EE03 1EE05-1EE1F 1EE21-1EE22 1EE24 1EE27 1EE29-1EE32
1EE34-1EE37 1EE39 1EE3B 1EE42 1EE47 1EE49 1EE4B 1EE4D-1EE4F 1EE51-1EE52 1EE54 1EE57 1EE59 1EE5B 1EE5D 1EE5F
1EE61-1EE62 1EE64 1EE67-1EE6A 1EE6C-1EE72 1EE74-1EE77 1EE79-1EE7C 1EE7E 1EE80-1EE89 1EE8B-1EE9B 1EEA1-1EEA3
1EEA5-1EEA9 1EEAB-1EEBB 1EEF0-1EEF1 1F000-1F02B 1F030-1F093 1F0A0-1F0AE 1F0B1-1F0BF 1F0C1-1F0CF 1F0D1-1F0F5
1F100-1F1AD 1F1E6-1F202 1F210-1F23B 1F240-1F248 1F250-1F251 1F260-1F265 1F300-1F6D7 1F6DC-1F6EC 1F6F0-1F6FC
1F700-1F776 1F77B-1F7D9 1F7E0-1F7EB 1F7F0 1F800-1F80B 1F810-1F847 1F850-1F859 1F860-1F887 1F890-1F8AD 1F8B0-1F8BB
1F8C0-1F8C1 1F900-1FA53 1FA60-1FA6D 1FA70-1FA7C 1FA80-1FA89 1FA8F-1FAC6 1FACE-1FADC 1FADF-1FAE9 1FAF0-1FAF8
1FB00-1FB92 1FB94-1FBF9 20000-2A6DF 2A700-2B739 2B740-2B81D 2B820-2CEA1 2CEB0-2EBE0 2EBF0-2EE5D 2F800-2FA1D
30000-3134A 31350-323AF E0001 E0020-E007F E0100-E01EF F0000-FFFFD 100000-10FFFD
"""
ASSIGNED_FIRST = [int(part.split("-")[0], 16) for part in ASSIGNED.split()]
ASSIGNED_LAST = [int(part.split("-")[-1], 16) for part in ASSIGNED.split()]

# What Unicode 15.0, 15.1 and 16.0 added to 14.0: marks by canonical combining class, and canonical decompositions.
NEW_MARKS = {9: "113CE 113CF 113D0 11F41 11F42 1612F",
             220: "10EFD 10EFE 10EFF 1E4EE 1E5EF",
             230: "897 10D69 10D6A 10D6B 10D6C 10D6D 1E08F 1E4EF 1E5EE",
             232: "1E4EC 1E4ED"}
NEW_CLASSES = {int(code, 16): number for number, codes in NEW_MARKS.items() for code in codes.split()}
NEW_DECOMPOSITIONS = """
105C9=105D2+0307 105E4=105DA+0307 11383=11382+113C9 11385=11384+113BB 1138E=1138B+113C2 11391=11390+113C9
113C5=113C2+113C2 113C7=113C2+113B8 113C8=113C2+113C9 16121=1611E+1611E 16122=1611E+16129 16123=1611E+1611F
16124=16129+1611F 16125=1611E+16120 16126=16121+1611F 16127=16122+1611F 16128=16121+16120 16D68=16D67+16D67
16D69=16D63+16D67 16D6A=16D69+16D67
"""
NEW_PAIRS = {}
for _part in NEW_DECOMPOSITIONS.split():
    _whole, _first, _second = (chr(int(code, 16)) for code in re.split("[=+]", _part))
    NEW_PAIRS[_whole] = _first + _second
NEW_WHOLES = {pair: whole for whole, pair in NEW_PAIRS.items()}


if __name__ == "__main__":
    sys.exit(main())
