// Offline verifier of sharelog evidence files, written from tests/vectors/SPEC.md alone (the "SPEC" below), without
// imports, for Node 20 and for browsers. It believes the genesis hash that it is given, SHA-256 and Ed25519. Every
// byte of the file is judged, and the first step that fails ends the verdict. Left to the word of more than two
// thirds of the validators: that the records were admissible when they were committed.

const EVIDENCE_BYTES_MAX = 4 * 1024 * 1024; // SPEC, step 1
const RECORD_BYTES_MAX = 16 * 1024; // a record with its signature lines
const JSON_DEPTH_MAX = 8; // each array or object counts, the outermost too
const KEY_NAME_BYTES_MAX = 255;
const PROOF_LINES_MAX = 63; // c2sp.org/tlog-proof: no tree is deeper
const REMEMBERED_MAX = 4096; // of decoded keys, key ids, nodes and signatures: each is worked out once
const RULES_KNOWN = 1;
const ROLES = ["office", "head", "authority", "inspector", "recovery"];
const [NOTE_KEY, COSIGNER_KEY] = [0x01, 0x04]; // the algorithms of C2SP signed-note

// --- Refusals: a constant sentence, and the places that it is about, the outermost first ---
class Refusal extends Error {}
const refuse = (why, ...places) => {
  throw Object.assign(new Refusal(why), { places });
};
const need = (condition, why, ...places) => condition || refuse(why, ...places);

// Runs a task whose refusals are about a place of the file.
async function within(place, task) {
  try {
    return await task();
  } catch (error) {
    error.places?.unshift(place);
    throw error;
  }
}

// A task for each item of a list of the file, in order; what the tasks return.
async function each(items, name, task) {
  const results = [];
  for (const [index, item] of items.entries()) results.push(await within(`${name}/${index}`, () => task(item)));
  return results;
}

// --- Bytes ---
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8 = (text) => new TextEncoder().encode(text);
const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hex = (bytes) => bytes.reduce((text, byte) => text + HEX_OF_BYTE[byte], "");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
function decodeUtf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return refuse("the bytes are not UTF-8");
  }
}
async function sha256(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

// RFC 4648, section 4: padded, and canonical (3.5: the bits that are left over are zero). Undefined for other texts.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;
function decodeBase64(text) {
  if (!BASE64.test(text)) return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
const isBase64Of = (text, length) => typeof text === "string" && BASE64.test(text) && atob(text).length === length;
const hexOfBase64 = (text) => hex(decodeBase64(text));

// --- Texts: Unicode 16.0 (SPEC, "JSON"), whatever version the engine knows ---
// The lengths of runs of code points, from U+0000 on, by turns assigned and not (general category Cn) in Unicode 16.0:
// base64 digits, the lowest five bits first, 32 added when more follow. Made with Python's unicodedataplus 16.0.0.
const ASSIGNED_RUNS = `
4bCGEHBBBUBtMBmBCyBCDB3BIbEGLuIB8BClDO7BCxBCPBcCBBLFfBCFtHBICCCWBHBBDECJCCCEIBECBFCZCDBGECCWBHBCBCBCCBBFECCDDBHEBBHRKDB
JBDBWBHBCBFCKBDBDCBPECMHHBDBICCCWBHBCBFCJCCCDHDECBFCSKCBGDDBEDCBBBCDCDDDMEFDDBECBGBOVFNBDBXBQCJBDBEHCBDCBCECKHWBDBXBKBF
CJBDBEHCGCBECKBDMNBDBzBBDBGEQCaBDBSDYBJBBCHDBEGBBBIGKCDM6BEdlBCBBBFBYBBBXCFBBBHBKCEgBoCBkBEnBBkBBPBNlBmGBBFBC5LBECHBBBE
CpBBEChBBECHBBBECPB5BBECjCCgBDaG2CCGC9UD5CHWJYJUMNBDBCM+CCKGKGaG5CHrBFmCKfBMEMEBDqBCFLsBEaGLD+BChCBdCLGKGOCfxBtCBmFI8BD
PD+BFrBCLIrBF2QCGCmBCGCIBBBBBBBfC1BBPBOCGBTCDBJBlDBMCbBNDhBPhBPsEE6UWLV04BCgBB9KFtBBBFBC4BHCOYJHBHBHBHBHBHBHBHB+DiBaB5C
M2GawCB2CCnDFrBB+CB2CJwBBtzcD3BJ8KU4FIuGCCBBBIV7BDKG4BImCIMG0DLeDuCBLEhBB3BJOCKCnDYcKGCGCGJHBHB8BE+DCKGk9KMXExBEuzICqDm
BHMFFaBFBBBCBCB9DQ9NC2BHBgBqBGzBBTBEEFBnECBB+FDGCGCGCDDHBHKFCMBaBTBCBPCOiB7DFDEtBD4CBNDBvBuBiEdDxBPcEkBJeFrBFeBlBEOqB+E
CKGkBEkBEoBI0BLMBPBHBCBLBPBHBCD0BM3JJWKIYGBqBBJlCGCBBsBBCDBCXBoCIJwBTBCFhBDbFBgC4BEUCyBBCFIBDBdCDEKHJHgCgBnBEMJ2BDdCbFa
HEMHwCpC3BzBNzBHuBIKGmBDdICwGfBqBBDCCQD3BsBIqBWamBcUXJuCEkBJkCKBCZHKG1BBSInBJgDBULSBvB+BHBBBEBPBLG7BFKGEBICCCWBHBCBFBKC
CCDCBGBFHCHDFLKBBCBBmBBKBBCBBEBKBCICd8CBFeoCIKmF2BCmBiBlCLKGNT6BGKGUcbCPEX5F8BkDzCMICBCIBCBeBCCMJKmCICuBCLboCIzCNpCHK2F
iBOKGJBtBBOKdDgBCWBOpCHBCBsBDBBCBJIKGGBCBlBBCBGHK2JZHRBpBDd1CBPyBN7cmDvDBFLkGsyCjDN2iBK78DFnS51G6Bm2B5RHfBKExCBKGeCGKmC
KKBHBVFTwN6BmG7ClDrCE5BHRgCFLCO4/FI2mBpBKn3IEBHBCBjJPBdDCBOEIsMkoCrDFNDJHKCI86D6HG0NsCuBCXJ0D8B2HKnBCiGVmC6DUMUM3CJZnE1
CBnCBCCBCCCEBMBBBHBhCBECIBHBcBEBFBBDHB0KCkJC+VPFBPwiBfGG1GHBRCHBCBFF+BhBBwDtBDOCKECgKfR6BFBwOqB2GrBEBgPHBEBCBPBlGCQpBsC
EKECxYkCsC9BiGEBbBCBBCBBKBEBBBBGBEBBBBBBDBCBBCBBBBBBBBBBCBBCEBHBEBEBBBKBRFDBFBR0BCuIsBEkDMPCPBPBlBKuF4BdNsBEJHCOG6E4eER
DND3DE/CGMEBPME4BIKGoBIeCMEC+B0KMOCNDKF4BHPCLGJHzEBmDmgBg3pBgB6hEG+GCi0FOxpHPuTitC+QivBr6EFgjExi3VBegDgEwHww/B+//BC+//B
C`;

const UNASSIGNED = readUnassigned();
// Controls but U+000A, which the reader of JSON judges, U+2028-2029, Bidi_Control and the invisible ones.
const FORBIDDEN =
  /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u200b-\u200d\u2060\ufeff]/u;
function readUnassigned() {
  let [ranges, start, length, shift, unassigned] = ["", 0, 0, 0, false];
  for (const char of ASSIGNED_RUNS.replaceAll("\n", "")) {
    const digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(char);
    length |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    if (unassigned) ranges += `\\u{${start.toString(16)}}-\\u{${(start + length - 1).toString(16)}}`;
    [start, length, shift, unassigned] = [start + length, 0, 0, !unassigned];
  }
  return new RegExp(`[${ranges}]`, "u");
}

// Normalisation is stable: of the characters that it knows, an engine tells what Unicode 16.0 tells. A character of
// 16.0 that an older engine does not know yet is the one thing that it cannot judge.
function judgeText(text, place) {
  const rest = text.replace(/[\n\x20-\x7e]+/g, "");
  need(!FORBIDDEN.test(rest) && !UNASSIGNED.test(rest), "a text holds a character that is not allowed", place);
  need(!/\p{Cn}/u.test(rest), "a text holds a character that this program's engine does not know yet", place);
  need(text.normalize("NFC") === text, "a text is not in Unicode normalisation form C", place);
}

// --- JSON: RFC 8785 as the SPEC restricts it. Whatever is not its own canonical form is refused ---
const MEMBERS_WITH_LINES = ["leaf", "entry", "note", "checkpoint"];
const STRING = /"((?:[^"\\\0-\x1f]|\\["\\n])*)"/y;
const NUMBER = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y;

// The value of a text, and when it is an object the raw text of each of its members. `lines` allows U+000A in the
// four members of evidence files. Objects have no prototype, so that any member name is harmless.
export function parseJson(text, { lines = false } = {}) {
  const raw = new Map();
  let at = 0;
  const must = (condition, why = "the JSON is malformed or not in its canonical form") => {
    if (!condition) refuse(why, `character ${at}`);
  };
  function take(piece) {
    must(text.startsWith(piece, at));
    at += piece.length;
  }
  function match(pattern) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    must(found !== null);
    at = pattern.lastIndex;
    return found;
  }
  // Of the controls a canonical text may only escape the line feed; everything else is written as it is.
  function readString(mayHoldLines) {
    const [, coded] = match(STRING);
    const value = coded.includes("\\") ? coded.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char)) : coded;
    must(mayHoldLines || !value.includes("\n"));
    if (!/^[\n\x20-\x7e]*$/.test(value)) judgeText(value, `character ${at}`);
    return value;
  }
  function readArray(depth) {
    const items = [];
    for (take("["); text[at] !== "]"; items.push(readValue(depth + 1, false))) if (items.length > 0) take(",");
    take("]");
    return items;
  }
  function readObject(depth) {
    const members = Object.create(null);
    let previous;
    for (take("{"); text[at] !== "}"; ) {
      if (previous !== undefined) take(",");
      const name = readString(false);
      must(/^[\x20-\x7e]*$/.test(name) && (previous === undefined || name > previous));
      take(":");
      const start = at;
      members[name] = readValue(depth + 1, lines && MEMBERS_WITH_LINES.includes(name));
      if (depth === 1) raw.set(name, text.slice(start, at));
      previous = name;
    }
    take("}");
    return members;
  }
  function readValue(depth, mayHoldLines) {
    const first = text[at];
    must(depth <= JSON_DEPTH_MAX || (first !== "{" && first !== "["), "the JSON is too deep");
    if (first === "{") return readObject(depth);
    if (first === "[") return readArray(depth);
    if (first === "\"") return readString(mayHoldLines);
    if (first === "t" || first === "f") return match(/true|false/y)[0] === "true";
    const number = Number(match(NUMBER)[0]);
    must(number <= Number.MAX_SAFE_INTEGER);
    return number;
  }
  const value = readValue(1, false);
  must(at === text.length);
  return { value, raw };
}

// --- Shapes: a shape is a function of a value and its place that refuses what is not of it (INTERFACES) ---
const shape = (accepts) => (value, place) => need(accepts(value), "a member is not of its form", place);
const matching = (pattern) => shape((value) => typeof value === "string" && pattern.test(value));
const oneOf = (...words) => shape((value) => words.includes(value));
const base64Of = (length) => shape((value) => isBase64Of(value, length));
const integer = (least = 0, most = Number.MAX_SAFE_INTEGER) =>
  shape((value) => Number.isInteger(value) && value >= least && value <= most);
const textUpTo = (bytes) => shape((value) =>
  typeof value === "string" && value !== "" && value.trim() === value && utf8(value).length <= bytes);
const [anything, flag] = [() => {}, oneOf(true, false)];
const string = shape((value) => typeof value === "string");
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const list = (item, most = Infinity, least = 0) => (value, place) => {
  const sized = Array.isArray(value) && value.length >= least && value.length <= most;
  need(sized, "a member is not of its form", place);
  value.forEach((one, index) => item(one, `${place}/${index}`));
};
const object = (required, optional = {}) => (value, place) => {
  need(isObject(value), "a member is not of its form", place);
  for (const name of Object.keys(required)) need(name in value, "a member is missing", `${place}/${name}`);
  for (const name of Object.keys(value)) {
    const known = [required, optional].find((members) => Object.hasOwn(members, name));
    need(known !== undefined, "a member is unknown", `${place}/${name}`);
    known[name](value[name], `${place}/${name}`);
  }
};

// A list whose items ascend by their keys, none twice.
const ascending = (item, keyOf, most) => (value, place) => {
  list(item, most)(value, place);
  const ascend = value.every((one, index) => index === 0 || keyOf(value[index - 1]) < keyOf(one));
  need(ascend, "a list does not ascend, or repeats an item", place);
};

// RFC 3339 UTC with milliseconds, 24 characters, a real moment without leap second.
function isTime(value) {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  return !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value;
}
const isDay = (value) => typeof value === "string" && isTime(`${value}T00:00:00.000Z`);

// A year, half, quarter, month, ISO 8601 week or day. A year that begins or ends with a Thursday has week 53.
function isPeriod(value) {
  if (/^\d{4}(-H[12]|-Q[1-4]|-(0[1-9]|1[0-2])|-W(0[1-9]|[1-4]\d|5[0-2]))?$/.test(value)) return true;
  const weekday = (day) => new Date(`${value.slice(0, 4)}-${day}T00:00:00.000Z`).getUTCDay();
  return isDay(value) || (/^\d{4}-W53$/.test(value) && [weekday("01-01"), weekday("12-31")].includes(4));
}
const agencyOf = (one) => one.agency;
const AGENCY = "[0-9A-Za-z][0-9A-Za-z-]{0,63}";
const LOCAL = "[0-9A-Za-z][0-9A-Za-z._-]{0,63}";
const agencyId = matching(new RegExp(`^${AGENCY}$`));
const hash = matching(/^[0-9a-f]{64}$/);
const [time, day] = [shape(isTime), shape(isDay)];

// --- Ed25519: DESIGN, "Keys and signatures". The engine's own equation is without cofactor ---
const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;
const SQRT_MINUS_ONE = 0x2b8324804fc1df0b2b4d00993dfbd7a72f431806ad2fe478c4ee1b274a0ea0b0n;
// The points of small order by their y, little-endian: 1, -1, 0, and the two of order 8.
const SMALL_ORDER = [
  `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`, "00".repeat(32),
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];
const mod = (value) => ((value % P) + P) % P;
const littleEndian = (bytes) => BigInt(`0x${hex(bytes.slice().reverse())}`);
const power = (base, exponent) =>
  exponent === 0n ? 1n : mod(power(mod(base * base), exponent >> 1n) * (exponent & 1n ? base : 1n));

// RFC 8032, section 5.1.3, in extended coordinates; undefined for what is not the canonical encoding of a point.
function decodePoint(bytes) {
  const encoded = littleEndian(bytes);
  const [sign, y] = [encoded >> 255n, encoded & (2n ** 255n - 1n)];
  const [u, v] = [mod(y * y - 1n), mod(D * y * y + 1n)];
  let x = mod(u * v ** 3n * power(mod(u * v ** 7n), (P - 5n) / 8n));
  if (mod(v * x * x) !== u) x = mod(x * SQRT_MINUS_ONE);
  if (y >= P || mod(v * x * x) !== u || (x === 0n && sign === 1n)) return undefined;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

// RFC 8032, section 5.1.4: complete, so that it doubles too.
function addPoints([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
  const [c, d] = [mod(2n * t1 * D * t2), mod(2n * z1 * z2)];
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}
const NEUTRAL = [0n, 1n, 1n, 0n];
const isNeutral = ([x, y, z]) => x === 0n && y === z;
const times = (scalar, point) => (scalar === 0n ? NEUTRAL
  : addPoints(times(scalar >> 1n, addPoints(point, point)), scalar & 1n ? point : NEUTRAL));
const remembering = (compute, known = new Map()) => (key) => { // of a pure function, and bounded
  if (known.size >= REMEMBERED_MAX) known.clear();
  if (!known.has(key)) known.set(key, compute(key));
  return known.get(key);
};

// Whether the hex of 32 bytes is the canonical encoding of a point whose order is the prime one.
const isPublicKey = remembering((key) => {
  const point = decodePoint(unhex(key));
  return point !== undefined && !isNeutral(point) && isNeutral(times(ORDER, point));
});
function judgeKeys(keys) {
  need(new Set(keys).size === keys.length, "a public key stands twice");
  need(keys.every(isPublicKey), "a public key is not a point of prime order");
}
const importKey = remembering((key) => crypto.subtle.importKey("raw", unhex(key), "Ed25519", false, ["verify"]));

// `key` in hex. What the engine does not judge, or engines judge differently, is judged here.
const isSignature = (key, text, signature) => verifySigned(`${key} ${hex(signature)} ${text}`);
const verifySigned = remembering(async (signed) => {
  const [key, signature] = signed.split(" ", 2).map(unhex);
  const r = signature.slice(0, 32).map((byte, at) => (at === 31 ? byte & 0x7f : byte)); // without its sign
  if (littleEndian(signature.subarray(32)) >= ORDER || littleEndian(r) >= P) return false;
  if (SMALL_ORDER.includes(hex(r)) || !isPublicKey(hex(key))) return false;
  return crypto.subtle.verify("Ed25519", await importKey(hex(key)), signature, utf8(signed.slice(194)));
});

// --- Notes and verifier keys: C2SP signed-note. A key is {name, algorithm, id, key}, the last two in hex ---
const isKeyName = (name) => /^[^+\s\x85]+$/u.test(name) && utf8(name).length <= KEY_NAME_BYTES_MAX;

// A note's text, and its lines: the key's name, the key id in hex and the bytes behind it.
export function openNote(note) {
  const split = note.lastIndexOf("\n\n");
  need(split > 0 && note.endsWith("\n") && !/[\0-\x09\x0b-\x1f]/.test(note), "a note is malformed");
  const lines = note.slice(split + 2, -1).split("\n").map((line) => {
    const [, name = "", coded = ""] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? [];
    const bytes = decodeBase64(coded);
    need(isKeyName(name) && bytes?.length > 4, "a note is malformed");
    return { name, id: hex(bytes.subarray(0, 4)), signed: bytes.subarray(4) };
  });
  return { text: note.slice(0, split + 1), lines };
}
const keyId = remembering(async (named) => {
  const [name, algorithm, key] = named.split(" ");
  return hex((await sha256(utf8(`${name}\n`), [Number(algorithm)], unhex(key))).subarray(0, 4));
});
const namedKey = async (name, algorithm, key) =>
  ({ name, algorithm, key, id: await keyId(`${name} ${algorithm} ${key}`) });

// `<name>+<key id in hex>+<base64(algorithm || key)>`, the key of prime order and the id its own.
export async function readVkey(vkey) {
  const [, name, id, coded] = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(vkey) ?? [];
  const bytes = decodeBase64(coded ?? "");
  const formed = isKeyName(name ?? "") && bytes?.length === 33 && [NOTE_KEY, COSIGNER_KEY].includes(bytes[0]);
  const named = formed ? await namedKey(name, bytes[0], hex(bytes.subarray(1))) : {};
  need(formed && named.id === id, "a verifier key is malformed");
  judgeKeys([named.key]);
  return named;
}

// --- Tree: RFC 9162 over SHA-256 ---
export const leafHash = (leaf) => sha256([0], utf8(leaf));
const hashPair = remembering((pair) => sha256([1], unhex(pair)));
export const nodeHash = (left, right) => hashPair(hex(left) + hex(right));

// RFC 9162, section 2.1.3.2: the root that a proof leads to, and its hashes that stand to the left, from the leaf up.
export async function climb(leaf, position, size, proof) {
  const WRONG = "a proof has another length than its tree wants";
  need(position < size, "a position is not below the size");
  let [number, last, root, left] = [position, size - 1, leaf, []];
  for (const sibling of proof) {
    need(last > 0, WRONG);
    if (number % 2 === 1 || number === last) {
      left.push(sibling);
      root = await nodeHash(sibling, root);
      while (number % 2 === 0 && number !== 0) [number, last] = [number / 2, Math.floor(last / 2)];
    } else {
      root = await nodeHash(root, sibling);
    }
    [number, last] = [Math.floor(number / 2), Math.floor(last / 2)];
  }
  need(last === 0, WRONG);
  return { root: hex(root), left };
}

// SPEC, "Tree": from the hashes to the left the root of the leaves before a leaf; with its own hash in front of them,
// that of the leaves through it. The root of no leaves is the hash of nothing.
export async function foldLeft([lowest, ...higher]) {
  let root = lowest ?? (await sha256());
  for (const sibling of higher) root = await nodeHash(sibling, root);
  return hex(root);
}

// --- Records: DESIGN, "Record"; who signs and what `refs` holds: the tables of INTERFACES and of the SPEC ---
const oneLineOf = (...roles) => (by, [line, ...others]) =>
  others.length === 0 && line.agency === by && roles.includes(line.role);
const byAuthorities = (by, lines) =>
  lines.every(({ role }) => role === "authority") && lines.some(({ agency }) => agency === by) &&
  new Set(lines.map(({ agency }) => agency)).size === lines.length;

// Of each kind the lines that it wants, and the least and the greatest number of its `refs`.
const KINDS = new Map();
const kinds = (names, lines, refsLeast = 0, refsMost = refsLeast) =>
  names.split(" ").forEach((name) => KINDS.set(name, { lines, refsLeast, refsMost }));
kinds("agency.admit agency.change agency.suspend agency.retire calendar.set territory.set dataset.review",
  oneLineOf("authority"));
kinds("policy.set validator.add validator.change validator.remove", byAuthorities);
kinds("key.rotate", (_, lines) => lines.length === 2); // whose they are is judged with the keys, in step 8
kinds("key.revoke", (_, lines) => lines.length === 1);
kinds("node.admit node.remove dataset.publish dataset.retire", oneLineOf("head"));
kinds("duty.declare duty.retire share.request collect.notice", oneLineOf("office"));
kinds("share.supplement share.withdraw share.answer share.deliver share.receipt share.use share.dispose " +
  "correction.file correction.close dispute.file finding.rectify", oneLineOf("office"), 1);
kinds("share.extend dispute.refer dispute.decide", oneLineOf("authority"), 1);
kinds("share.suspend share.resume share.end", oneLineOf("office", "authority"), 1);
kinds("finding.file", oneLineOf("inspector"), 1, 16);
kinds("finding.close", oneLineOf("inspector"), 1);
kinds("record.amend", oneLineOf("office", "head", "authority", "inspector"), 1);

// An agency of the genesis or of agency.admit.
const agency = (keys) => (value, place) => {
  object({
    id: agencyId, keys, level: oneOf("city", "district", "street", "community", "outside"),
    names: object({}, { en: textUpTo(200), zh: textUpTo(200) }), scheme: oneOf("plain", "uscc"),
  }, {
    line: matching(/^[a-z0-9][a-z0-9-]{0,63}$/), parent: agencyId, territory: matching(/^[0-9]{2,12}$/),
  })(value, place);
  need(Object.keys(value.names).length > 0, "a member is missing", `${place}/names`);
  need(value.territory !== undefined || value.level === "outside", "a member is missing", `${place}/territory`);
  need(value.scheme !== "uscc" || isUscc(value.id), "an agency's id is not a code of GB 32100", place);
};

// GB 32100-2015: 17 characters with weights 3^i, and a check character with weight 1, modulo 31.
function isUscc(id) {
  const values = [...id].map((char) => "0123456789ABCDEFGHJKLMNPQRTUWXY".indexOf(char));
  const sum = values.reduce((total, value, i) => total + BigInt(value) * (i < 17 ? 3n ** BigInt(i) : 1n), 0n);
  return values.length === 18 && !values.includes(-1) && sum % 31n === 0n;
}

// The bodies that a step reads. Of the other kinds an object is enough: that they were admissible, their bodies
// included, stands on the word of the quorum.
const BODIES = {
  "agency.admit": agency(ascending(string, (vkey) => vkey, 64)),
  "key.rotate": object({ key: string, replaces: string }),
  "key.revoke": object({ key: string, reason: textUpTo(2000) }, { suspect_from: time }),
  "share.deliver": object({
    batch: matching(new RegExp(`^${LOCAL}$`)), bytes: integer(), commitment: hash,
    dataset: matching(new RegExp(`^${AGENCY}:${LOCAL}$`)), mode: oneOf("file", "api", "query"), version: integer(1),
  }, { period: shape((value) => typeof value === "string" && isPeriod(value)), rows: integer() }),
};
const RECORD = object({
  at: time, body: shape(isObject), by: agencyId, kind: string, ledger: string, refs: list(hash, 16),
  uid: matching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
});
function readHeaded(text, heading) { // a heading and one line of JSON
  need(text.startsWith(heading) && text.endsWith("\n"), "a text does not have its heading and one line of JSON");
  return parseJson(text.slice(heading.length, -1)).value;
}
function readKeyName(name, origin) { // <origin>/agency/<agency id>/<role>
  const [, id, role] = new RegExp(`^/agency/(${AGENCY})/([a-z]+)$`).exec(name.slice(origin.length)) ?? [];
  need(name.startsWith(origin) && ROLES.includes(role), "a key's name is not of an agency of this ledger");
  return { agency: id, role };
}

// A record: form, ledger, kind, number of refs and whose lines it wants. That they verify is judged elsewhere.
export async function readRecord(leaf, origin) {
  need(utf8(leaf).length <= RECORD_BYTES_MAX, "a record is too large");
  const { text, lines } = openNote(leaf);
  const record = readHeaded(text, "sharelog/record/v1\n");
  RECORD(record, "record");
  const { body, by, kind, ledger, refs } = record;
  need(ledger === origin, "a record is of another ledger");
  const wanted = KINDS.get(kind) ?? refuse("a record is of an unknown kind");
  need(refs.length >= wanted.refsLeast && refs.length <= wanted.refsMost, "a record's refs are not those of its kind");
  BODIES[kind]?.(body, "record/body");
  need(lines.every(({ signed }) => signed.length === 64), "a signature does not have its length");
  ascending(anything, slot)(lines, "signature lines");
  const named = lines.map((line) => ({ ...line, ...readKeyName(line.name, origin) }));
  need(wanted.lines(by, named), "a record's signature lines are not those of its kind");
  return { ...record, id: hex(await sha256(utf8(text))), text, lines: named };
}

// --- Blocks, validator sets, certificates: DESIGN ---
const ENTRY = object({
  first: integer(), height: integer(1), ledger: string, next: hash, position: integer(), previous: hash,
  proposer: agencyId, root: hash, rules: integer(), state: hash, time, validators: hash,
});
export function readEntry(leaf, origin) {
  const entry = readHeaded(leaf, "sharelog/block/v1\n");
  ENTRY(entry, "entry");
  need(entry.first <= entry.position, "a block entry is before its own records");
  need(entry.ledger === origin, "a block entry is of another ledger");
  return entry;
}
const MEMBER = object({ agency: agencyId, consensus: base64Of(32), cosigner: base64Of(32), power: integer() });
export const judgeCertificateForm = object({
  block: hash, height: integer(1), ledger: string, round: integer(0, 0xffffffff),
  signatures: ascending(object({ agency: agencyId, signature: base64Of(64) }), agencyOf),
});

// A validator set's hash is over its JSON, with these members in this order; their texts need no escapes.
export const hashSet = async (set) =>
  hex(await sha256(utf8(JSON.stringify(set, ["agency", "consensus", "cosigner", "power"]))));
function judgeSet(set) {
  need(set.length >= 4 && set.length <= 22 && set.every((one) => one.power === 1), "a set is not of its form");
  judgeKeys(set.flatMap(({ consensus, cosigner }) => [consensus, cosigner].map(hexOfBase64)));
}
const isQuorum = (some, all) => 3 * some.length > 2 * all.length; // the power is 1 each

// Precommits of one height, round and block by a quorum; a bad or foreign one refuses the whole.
export async function judgeCertificate(certificate, { height, hash: block }, set, origin) {
  const { round, signatures } = certificate;
  need(certificate.ledger === origin, "a certificate is of another ledger");
  need(certificate.height === height && certificate.block === block, "a certificate is over another block");
  const text = `sharelog/precommit/v1\n${origin}\n${height} ${round}\n${block}\n`;
  for (const { agency: id, signature } of signatures) {
    const member = set.find((one) => one.agency === id) ?? refuse("a certificate has a line of a stranger");
    const key = hexOfBase64(member.consensus);
    need(await isSignature(key, text, decodeBase64(signature)), "a precommit does not verify");
  }
  need(isQuorum(signatures, set), "a certificate is not by more than two thirds");
}

// --- Checkpoints and single proofs: C2SP tlog-checkpoint, tlog-cosignature, tlog-proof ---
const readSize = (text) => (/^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(+text) ? +text : undefined);
export function readCheckpointText(text) {
  const [origin, size, root, end, ...more] = text.split("\n");
  const threeLines = end === "" && more.length === 0 && isKeyName(origin) && isBase64Of(root, 32);
  need(threeLines && readSize(size) !== undefined, "a checkpoint is not of three lines: origin, size, root");
  return { origin, size: readSize(size), root: hexOfBase64(root) };
}
const readCheckpoint = (note, opened = openNote(note)) => ({ ...readCheckpointText(opened.text), ...opened });

// Whether a line of a checkpoint verifies under a key of its name and id. A cosignature has its time before it.
export async function isLineOf({ name, algorithm, key, id }, line, text) {
  if (line.name !== name || line.id !== id || line.signed.length !== (algorithm === NOTE_KEY ? 64 : 72)) return false;
  if (algorithm === NOTE_KEY) return isSignature(key, text, line.signed);
  const seconds = BigInt(`0x${hex(line.signed.subarray(0, 8))}`);
  return isSignature(key, `cosignature/v1\ntime ${seconds}\n${text}`, line.signed.subarray(8));
}

// A single proof without an `extra` line; the leaf that it is of is not in it.
const SINGLE_PROOF = "c2sp.org/tlog-proof@v1\nindex ";
export function readSingleProof(text) {
  const split = text.indexOf("\n\n");
  const [index, ...hashes] = text.slice(SINGLE_PROOF.length, Math.max(split, SINGLE_PROOF.length)).split("\n");
  const sound = text.startsWith(SINGLE_PROOF) && readSize(index) !== undefined && hashes.length <= PROOF_LINES_MAX;
  need(sound && hashes.every((one) => isBase64Of(one, 32)), "a single proof is malformed");
  const given = readCheckpoint(text.slice(split + 2));
  return { position: readSize(index), proof: hashes.map(decodeBase64), given };
}

// --- Genesis: DESIGN and INTERFACES ---
const counts = (names) => Object.fromEntries(names.split(" ").map((named) => {
  const [name, least] = named.split(">=");
  return [name, integer(Number(least ?? 0))];
}));
const GENESIS = object({
  agencies: ascending(agency(ascending(object({ public: base64Of(32), role: oneOf(...ROLES) }),
    (one) => `${one.role} ${one.public}`, 64)), (one) => one.id),
  calendars: ascending(object({
    notice: object({ url: textUpTo(2000) }, { sha256: hash }), off: list(day), work: list(day), year: integer(0, 9999),
  }), (one) => one.year),
  created: time, format: oneOf("sharelog/genesis/v1"),
  name: matching(/^(?=.{1,100}$)(?!sharelog\/)[a-z0-9.-]+(\/[a-z0-9.-]+)*$/),
  policy: object({
    ...counts("authority_threshold>=1 block_bytes_max>=16384 block_drift_ms block_records_max>=1 checkpoint_ms>=1 " +
      "heartbeat_ms>=10000 record_age_ms_max rules>=1"),
    clocks: object(counts("answer_conditional answer_unconditional backflow catalogue_review catalogue_update " +
      "correction delivery dispute mismatch receipt rectification")),
    extensions: object(counts("answer backflow catalogue_update dispute mismatch rectification")),
    pause_on_supplement: flag, unreviewed_requestable: flag, utc_offset_minutes: integer(0, 840),
  }, { test_clock: oneOf(true) }),
  validators: ascending(object({
    addresses: list(textUpTo(2000), 64), agency: agencyId, consensus: base64Of(32), cosigner: base64Of(32),
    peer: shape((value) => typeof value === "string" && peerKey(value) !== undefined), power: integer(),
    publication: base64Of(32), records: list(textUpTo(2000), 64),
  }), agencyOf),
});

// The Ed25519 key in a peer id: base58btc of 0x00, the length 0x24, and a libp2p key (08 01 12 20 and 32 bytes). The
// zero byte is the leading "1".
function peerKey(peer) {
  const digits = [...peer].map((char) => "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".indexOf(char));
  if (peer.length !== 52 || peer[0] !== "1" || digits.includes(-1)) return undefined;
  const bytes = digits.reduce((number, digit) => number * 58n + BigInt(digit), 0n).toString(16);
  return /^2408011220[0-9a-f]{64}$/.test(bytes) ? bytes.slice(10) : undefined;
}

// The genesis as the steps need it, or a refusal.
function readGenesis(genesis, hashed) {
  GENESIS(genesis, "genesis");
  const { agencies, calendars, validators } = genesis;
  const ids = agencies.map(({ id }) => id);
  const folded = new Set(ids.map((id) => id.toLowerCase()));
  need(folded.size === ids.length, "an agency is registered twice");
  judgeSet(validators);
  need(validators.every((one) => ids.includes(one.agency)), "a validator's agency is not listed");
  need(agencies.some(({ keys }) => keys.some(({ role }) => role === "authority")), "there is no authority");
  const isNear = (year) => (one) => Math.abs(Number(one.slice(0, 4)) - year) <= 1;
  const near = calendars.every(({ off, work, year }) => [...off, ...work].every(isNear(year)));
  need(near, "a day is not of its calendar's year or a neighbouring one");
  const keys = [
    ...agencies.flatMap((one) => one.keys.map((key) => hexOfBase64(key.public))),
    ...validators.flatMap((one) => [one.consensus, one.cosigner, one.publication].map(hexOfBase64)),
    ...validators.map(({ peer }) => peerKey(peer)),
  ];
  judgeKeys(keys);
  return { ...genesis, hash: hashed, publics: keys, folded };
}

// --- The steps, in the SPEC's order. Each reads what the earlier ones learnt from `view`, and adds to it ---
const LEAF = object({ leaf: string, position: integer(), proof: list(base64Of(32)) });
const LEAVES = ascending(LEAF, (one) => one.position);
export const judgeOpeningForm = object({
  bytes: integer(), format: oneOf("sharelog/opening/v1"), record: hash, salt: base64Of(32), sha256: hash,
});
const EVIDENCE = object({
  blocks: LEAVES, checkpoint: string, entries: LEAVES, format: oneOf("sharelog/evidence/v1"),
  genesis: anything, head: LEAF, keys: LEAVES, openings: list(judgeOpeningForm),
  handovers: ascending(object({
    certificate: judgeCertificateForm, entry: LEAF, validators: ascending(MEMBER, agencyOf),
  }), (one) => one.entry.position),
});
async function form(view) { // step 1
  need(view.bytes.length <= EVIDENCE_BYTES_MAX, "the file is too large");
  const { value: file, raw } = parseJson(decodeUtf8(view.bytes), { lines: true });
  EVIDENCE(file, "file");
  await each(file.handovers, "handovers", ({ validators }) => judgeSet(validators));
  const opened = new Set(file.openings.map(({ record }) => record));
  need(opened.size === file.openings.length, "a record has two openings", "openings");
  Object.assign(view, { file, genesisText: raw.get("genesis"), leaves: [] });
  return `bytes: ${view.bytes.length}`;
}

// Step 2. The hash comes first: what it pins was chosen by the reader.
async function genesis(view) {
  const hashed = hex(await sha256(utf8(view.genesisText)));
  const known = view.pinned.file === undefined ? view.pinned.hash : hex(await sha256(view.pinned.file));
  need(hashed === known, "the genesis in the file is not the one that the reader knows");
  view.genesis = readGenesis(view.file.genesis, hashed);
  view.origin = `${view.genesis.name}/${hashed.slice(0, 16)}`; // DESIGN, "Names"
  return `agencies: ${view.genesis.agencies.length}, validators: ${view.genesis.validators.length}`;
}
function checkpoint(view) { // step 3
  view.checkpoint = readCheckpoint(view.file.checkpoint);
  need(view.checkpoint.origin === view.origin, "the checkpoint is of another ledger");
  return `leaves: ${view.checkpoint.size}`;
}

// A leaf of the file lies in the checkpoint's tree. What its proof tells is kept for its entry and for the pin.
async function judgeLeaf(view, { leaf, position, proof }) {
  const hashed = await leafHash(leaf);
  const { root, left } = await climb(hashed, position, view.checkpoint.size, proof.map(decodeBase64));
  need(root === view.checkpoint.root, "a proof does not lead to the checkpoint's root");
  view.leaves.push({ position, hashed, left });
  return view.leaves.at(-1);
}

// What holds of every block entry of the file (step 4).
async function judgeEntry(view, leaf) {
  const { hashed, left } = await judgeLeaf(view, leaf);
  const entry = readEntry(leaf.leaf, view.origin);
  need(entry.position === leaf.position, "a block entry is at another position than it says");
  need(entry.root === (await foldLeft(left)), "a block entry's root is not that of the leaves before it");
  need(entry.rules === RULES_KNOWN, "a block is under rules that this program does not know");
  return { ...entry, hash: hex(hashed) };
}

// Step 4. `sets` holds the validator sets reached, each with the first height that it decides.
async function handovers(view) {
  const { validators } = view.genesis;
  view.sets = [{ members: validators, hash: await hashSet(validators), from: 1 }];
  view.passed = await each(view.file.handovers, "handovers", (handover) => judgeHandover(view, handover));
  return `handovers: ${view.passed.length}`;
}
async function judgeHandover(view, { certificate, entry: leaf, validators }) {
  const old = view.sets.at(-1);
  const entry = await judgeEntry(view, leaf);
  const next = await hashSet(validators);
  need(entry.validators === old.hash, "a handover is not of the set reached so far");
  need(entry.next === next && next !== old.hash, "a handover is to another set than the one beside it");
  await judgeCertificate(certificate, entry, old.members, view.origin);
  view.sets.push({ members: validators, hash: next, from: entry.height + 1 });
  return entry;
}
async function head(view) { // step 5
  need(view.file.head.position === view.checkpoint.size - 1, "the head is not the last leaf");
  view.head = await within("head", () => judgeEntry(view, view.file.head));
  need(view.passed.every(({ position }) => position <= view.head.position), "the head is below a handover");
  need(view.head.validators === view.sets.at(-1).hash, "the head is not of the last set reached");
  return `height: ${view.head.height}`;
}

// Step 6. One line at most is of a publication key: whoever serves the file, and none when the genesis names him not.
async function signatures(view) {
  const { checkpoint: { text, lines }, origin } = view;
  const members = (view.members = view.sets.at(-1).members);
  const publications = await Promise.all(view.genesis.validators.map(({ publication }) =>
    namedKey(origin, NOTE_KEY, hexOfBase64(publication))));
  const cosigners = await Promise.all(members.map((member) =>
    namedKey(`${origin}/validator/${member.agency}`, COSIGNER_KEY, hexOfBase64(member.cosigner))));
  const signers = await each(lines, "lines", async (line) => {
    for (const key of [...publications, ...cosigners]) if (await isLineOf(key, line, text)) return key.name;
    return refuse("a line of the checkpoint is a stranger's or does not verify");
  });
  need(new Set(signers).size === signers.length, "a line of the checkpoint is repeated");
  view.cosigners = members.filter((_, index) => signers.includes(cosigners[index].name));
  need(isQuorum(view.cosigners, members), "the checkpoint is not cosigned by more than two thirds");
  return `cosigned: ${view.cosigners.length} of ${members.length}`;
}

// Step 7. The genesis stands for a block of height 0 that ends just before the first leaf.
async function blocks(view) {
  view.blocks = await each(view.file.blocks, "blocks", (leaf) => judgeEntry(view, leaf));
  const named = [...view.passed, view.head, ...view.blocks].map((entry) => [entry.position, entry]);
  const entries = [...new Map(named).values()].sort((a, b) => a.position - b.position);
  let previous = { height: 0, position: -1, hash: view.genesis.hash, time: view.genesis.created };
  for (const entry of entries) {
    await within(`position ${entry.position}`, () => judgeSuccessor(view, previous, entry));
    previous = entry;
  }
  return `block entries: ${entries.length}`;
}

// That neighbours are linked by `next` too follows from both being of the sets of their heights.
function judgeSuccessor(view, previous, entry) {
  const setAt = (height) => view.sets.findLast(({ from }) => from <= height).hash;
  need(entry.height > previous.height && entry.time > previous.time, "heights or times do not rise");
  const [between, room] = [entry.height - previous.height - 1, entry.first - previous.position - 1];
  need(between > 0 || (room === 0 && entry.previous === previous.hash), "neighbours are not linked");
  need(room >= between, "there is no room for the blocks between");
  need(entry.validators === setAt(entry.height), "a block is not of the set of its height");
  const isHead = entry.position === view.head.position;
  need(isHead || entry.next === setAt(entry.height + 1), "a block is not followed by the set of the next height");
}

// Step 8. `registry` is what the genesis and the records so far tell of keys.
async function records(view) {
  const registry = await openRegistry(view.genesis, view.origin);
  const all = ["keys", "entries"].flatMap((name) => view.file[name].map((leaf, index) => ({ leaf, name, index })));
  view.records = [];
  for (const { leaf, name, index } of all.sort((a, b) => a.leaf.position - b.leaf.position)) {
    const record = await within(`${name}/${index}`, () => judgeRecord(view, registry, leaf, name));
    if (name === "entries") view.records.push(record);
  }
  return `records: ${view.records.length}, key records: ${view.file.keys.length}`;
}
async function judgeRecord(view, registry, leaf, name) {
  await judgeLeaf(view, leaf);
  const record = await readRecord(leaf.leaf, view.origin);
  const judge = KEY_KINDS[record.kind] ?? judgeLines;
  need(name === "entries" || record.kind in KEY_KINDS, "a record of another kind stands among the keys");
  need(!registry.ids.has(record.id), "a record stands twice");
  registry.ids.add(record.id);
  await judge(registry, record);
  const { position } = leaf;
  const block = view.blocks.find((entry) => entry.first <= position && position < entry.position);
  need(name === "keys" || block !== undefined, "a record lies in none of the blocks");
  return { ...record, position, block };
}

// Keys by name and key id, names with keys that were ended, all public keys, agencies in lower case, ids of records.
async function openRegistry({ agencies, folded, publics }, origin) {
  const registry = {
    origin, keys: new Map(), ended: new Map(), publics: new Set(publics), agencies: new Set(folded), ids: new Set(),
  };
  const named = agencies.flatMap(({ id, keys }) => keys.map((key) =>
    namedKey(`${origin}/agency/${id}/${key.role}`, NOTE_KEY, hexOfBase64(key.public))));
  for (const key of await Promise.all(named)) bring(registry, key);
  return registry;
}
const slot = ({ name, id }) => `${name} ${id}`;
const whole = ({ name, key }) => `${name} ${key}`;
const bring = ({ keys }, key) => keys.set(slot(key), [...(keys.get(slot(key)) ?? []), key]);
function register(registry, key) {
  need(!registry.publics.has(key.key), "a public key is registered twice");
  registry.publics.add(key.key);
  bring(registry, key);
}

// The keys that the lines verify under, of those trusted at this record and the one that it brings itself.
async function judgeLines(registry, { lines, text }, brought) {
  const signers = [];
  for (const line of lines) {
    const trusted = (registry.keys.get(slot(line)) ?? []).filter((key) => !registry.ended.has(whole(key)));
    const own = brought !== undefined && slot(brought) === slot(line) ? [brought] : [];
    let signer;
    for (const key of [...trusted, ...own]) if (await isSignature(key.key, text, line.signed)) signer = key;
    need(signer !== undefined, "a signature line does not verify under a key trusted then");
    signers.push({ ...signer, agency: line.agency, role: line.role });
  }
  return signers;
}
async function readAgencyKey(vkey, origin) {
  const key = await readVkey(vkey);
  need(key.algorithm === NOTE_KEY, "a verifier key is malformed");
  return { ...key, ...readKeyName(key.name, origin) };
}
async function admit(registry, record) {
  await judgeLines(registry, record);
  const { id, keys } = record.body;
  need(!registry.agencies.has(id.toLowerCase()), "an agency is registered twice");
  registry.agencies.add(id.toLowerCase());
  for (const vkey of keys) {
    const key = await readAgencyKey(vkey, registry.origin);
    need(key.agency === id, "a key's name is not of the agency that is admitted");
    register(registry, key);
  }
}
const mayEnd = (signer, key) => whole(signer) === whole(key) || signer.role === "authority" ||
  (signer.role === "recovery" && signer.agency === key.agency);

// The replaced key need not have come with the file: the recovery key or an authority may have consented.
async function rotate(registry, record) {
  const key = await readAgencyKey(record.body.key, registry.origin);
  const replaced = await readAgencyKey(record.body.replaces, registry.origin);
  need(key.name === replaced.name && key.key !== replaced.key, "a key does not replace one of its agency and role");
  const signers = await judgeLines(registry, record, key);
  const others = signers.filter((signer) => whole(signer) !== whole(key));
  need(others.length === 1 && mayEnd(others[0], replaced), "a rotation is not signed by those who may");
  need(signers.some((signer) => signer.agency === record.by), "a record is by somebody who did not sign it");
  if (registry.ended.get(whole(replaced)) === "revoked") registry.ended.set(whole(replaced), "replaced");
  else end(registry, replaced, "replaced");
  register(registry, key);
}
// A key ends once. One that the file did not bring is known from here on, and ended.
function end(registry, key, how) {
  need(!registry.ended.has(whole(key)), "a key ends that has ended");
  if (!(registry.keys.get(slot(key)) ?? []).some((known) => whole(known) === whole(key))) register(registry, key);
  registry.ended.set(whole(key), how);
}
async function revoke(registry, record) {
  const key = await readAgencyKey(record.body.key, registry.origin);
  const [signer] = await judgeLines(registry, record);
  need(mayEnd(signer, key), "a revocation is not signed by those who may");
  need(signer.agency === record.by, "a record is by somebody who did not sign it");
  end(registry, key, "revoked");
}
const KEY_KINDS = { __proto__: null, "agency.admit": admit, "key.rotate": rotate, "key.revoke": revoke };
export const commitmentOf = async ({ salt, sha256: payload }) =>
  hex(await sha256(utf8("sharelog/commitment/v1\n"), decodeBase64(salt), unhex(payload)));
async function openings(view) { // step 9
  await each(view.file.openings, "openings", async (opening) => {
    const delivery = view.records.find(({ id, kind }) => id === opening.record && kind === "share.deliver");
    need(delivery !== undefined, "an opening is of no delivery in the file");
    need(opening.bytes === delivery.body.bytes, "an opening's size is not the delivery's");
    need((await commitmentOf(opening)) === delivery.body.commitment, "an opening does not open the commitment");
  });
  return `openings: ${view.file.openings.length}`;
}

// Step 10. The reader trusts the checkpoint that he gives: its signatures are not judged. It is of the file's size, or
// ends at or just before a leaf of the file; or it is larger and comes in a proof of the head.
async function pin(view) {
  const text = decodeUtf8(view.pin);
  const isProof = text.startsWith(SINGLE_PROOF);
  const given = isProof ? await readPinnedProof(view, text) : readCheckpoint(text);
  need(given.origin === view.origin, "the checkpoint given is of another ledger");
  const isNext = ({ position }) => position === given.size || position + 1 === given.size;
  const { position, hashed, left } = view.leaves.find(isNext) ?? refuse("the checkpoint given cannot be compared");
  const root = await foldLeft(position === given.size ? left : [hashed, ...left]);
  need(root === given.root, "the checkpoint given has another root");
  view.isLater = isProof || given.size === view.checkpoint.size;
  return `same root at size: ${given.size}`;
}

// What the larger checkpoint tells of the file's size: the root of its leaves through the head.
async function readPinnedProof(view, text) {
  const { position, proof, given: { origin, size, root } } = readSingleProof(text);
  need(position === view.head.position, "the checkpoint given cannot be compared");
  const roots = await climb(unhex(view.head.hash), position, size, proof);
  need(roots.root === root, "a proof does not lead to the root of the checkpoint given");
  return { origin, size: position + 1, root: await foldLeft([unhex(view.head.hash), ...roots.left]) };
}

// --- The verdict ---
const STEPS = { form, genesis, checkpoint, handovers, head, signatures, blocks, records, openings, pin };
function explain(error) {
  if (!(error instanceof Refusal)) return `this program could not judge it: ${error}`;
  return error.places.length === 0 ? error.message : `${error.message} (${error.places.join(", ")})`;
}

// What no evidence shows; a checkpoint that the reader holds, not older than the file's, rules the last out.
const notShown = ({ checkpoint: { size }, isLater }) => [
  `anything after the first ${size} leaves: what came later, or did not come`,
  "any amendment, revocation, rotation, dispute or answer that is not in the file",
  "that the records were admissible when they were committed, other than by the word of more than two thirds of " +
    "the validators",
  "that the data behind a commitment is true; a receipt shows what the other side saw",
  "that no corrupt quorum signed another history beside this one",
  ...(isLater ? [] : ["that no stolen keys of a past validator set made this one; compare with a checkpoint you hold " +
    "(--pin)"]),
];
function verdictOf(view, steps) {
  const { origin, checkpoint: { size, root }, members, cosigners } = view;
  const claims = view.records.map(({ by, id, kind, position, block }) =>
    ({ by, height: block.height, id, kind, position, time: block.time }));
  const word = { origin, size, root, members: members.map(agencyOf), cosigners: cosigners.map(agencyOf) };
  return { ok: true, claims, not_shown: notShown(view), word, steps };
}

// Judges evidence by the genesis that the reader knows, `{hash}` in hex or `{file}` its bytes, and perhaps a checkpoint
// that he holds. Never throws: what goes wrong refuses the file.
export async function verify(evidence, genesisKnown, pinned) {
  const view = { bytes: evidence, pinned: genesisKnown, pin: pinned };
  const steps = [];
  for (const [step, judge] of Object.entries(STEPS)) {
    if (step === "pin" && (pinned === undefined || pinned === null)) continue;
    try {
      steps.push({ step, ok: true, detail: await judge(view) });
    } catch (error) {
      const detail = explain(error);
      steps.push({ step, ok: false, detail });
      return { ok: false, claims: [], failed: `${step}: ${detail}`, not_shown: [], steps };
    }
  }
  return verdictOf(view, steps);
}

// The hash of the genesis in an evidence file, which proves nothing until it is compared; of other bytes, their own.
export async function genesisHash(bytes) {
  const view = { bytes };
  const isEvidence = await form(view).then(() => true, () => false);
  return hex(await sha256(isEvidence ? utf8(view.genesisText) : bytes));
}
