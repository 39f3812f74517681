// Runs the offline verifier (src/web/assets/verify.mjs) in Node:
//   node tests/web/verify.mjs FILE --genesis HEX|FILE [--pin FILE] [--json]   the verdict over one evidence file
//   node tests/web/verify.mjs --batch                                         lines of JSON in, a verdict a line out
//   node tests/web/verify.mjs --vectors DIR                                   agrees with the vectors of tests/vectors?
// Exit code: 0 verified (all agree), 1 refused (some do not), 2 usage, 6 a file that cannot be read.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import * as verifier from "../../src/web/assets/verify.mjs";

const LINES_IN_FLIGHT_MAX = 16; // enough to keep the threads that hash busy, few enough to bound memory

// Node 20 calls Ed25519 of WebCrypto experimental on stderr, once.
process.removeAllListeners("warning");

class Usage extends Error {}
class Unreadable extends Error {}

async function read(file) {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw new Unreadable(`cannot read ${file}: ${error.message}`);
  }
}

// --- One file ---

async function verifyFile(options) {
  const { file, genesis, pin, json } = options;
  if (file === undefined || genesis === undefined) throw new Usage("FILE and --genesis are needed");
  const known = /^[0-9a-f]{64}$/.test(genesis) ? { hash: genesis } : { file: await read(genesis) };
  const verdict = await verifier.verify(await read(file), known, pin === undefined ? undefined : await read(pin));
  console.log(json ? compact(verdict) : report(verdict));
  return verdict.ok ? 0 : 1;
}

// One line, without the steps.
const compact = ({ claims, failed, not_shown, ok, word }) => JSON.stringify({ claims, failed, not_shown, ok, word });

function report({ claims, not_shown: notShown, ok, steps, word }) {
  const lines = steps.map(({ step, ok: passed, detail }) => `${passed ? "ok     " : "REFUSED"} ${step}: ${detail}`);
  if (!ok) return lines.join("\n");
  for (const { by, height, id, kind, position, time } of claims) {
    lines.push(`proven  ${kind} ${id} by ${by}, at ${time}, position ${position}, block ${height}`);
  }
  lines.push(`on the word of ${word.cosigners.join(", ")}, of ${word.members.length} validators of ${word.origin}`);
  return [...lines, ...notShown.map((sentence) => `not shown: ${sentence}`)].join("\n");
}

// --- Many files: {"evidence":"<base64>","genesis":"<hex>","pin":"<base64>"?} a line ---

const decodeLine = (base64) => new Uint8Array(Buffer.from(base64, "base64"));

async function judgeLine(line) {
  const { evidence, genesis, pin } = JSON.parse(line);
  const pinned = pin === undefined ? undefined : decodeLine(pin);
  return compact(await verifier.verify(decodeLine(evidence), { hash: genesis }, pinned));
}

// Verdicts come in the order of the lines.
async function verifyBatch() {
  const inFlight = [];
  const printFirst = async () => process.stdout.write(`${await inFlight.shift()}\n`);
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (line === "") continue;
    inFlight.push(judgeLine(line));
    if (inFlight.length >= LINES_IN_FLIGHT_MAX) await printFirst();
  }
  while (inFlight.length > 0) await printFirst();
  return 0;
}

// --- The vectors ---

// Counts the cases of one file of vectors that agree.
class Tally {
  constructor(name) {
    Object.assign(this, { name, agreed: 0, failed: [] });
  }

  async agrees(what, check) {
    try {
      if ((await check()) === false) throw new Error("another result");
      this.agreed += 1;
    } catch (error) {
      this.failed.push(`${this.name}: ${what}: ${error.message}`);
    }
  }

  async refuses(what, check) {
    const outcome = await Promise.resolve().then(check).then(() => "accepted", () => "refused");
    await this.agrees(what, () => outcome === "refused");
  }
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const fromHex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const fromBase64 = (text) => new Uint8Array(Buffer.from(text, "base64"));
const toText = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
const badTexts = (cases) => cases.map(({ code, hex: coded }, index) => [`bad ${index}, ${code}`, fromHex(coded)]);

async function jsonVectors(tally, { bad, good }) {
  for (const text of good) await tally.agrees(text, () => verifier.parseJson(text));
  for (const [what, bytes] of badTexts(bad)) await tally.refuses(what, () => verifier.parseJson(toText(bytes)));
}

async function noteVectors(tally, { bad_notes: badNotes, bad_vkeys: badVkeys, notes, vkeys }) {
  for (const { note, text, vkey } of notes) {
    await tally.agrees(vkey, async () => {
      const opened = verifier.openNote(note);
      return opened.text === text && verifier.isLineOf(await verifier.readVkey(vkey), opened.lines[0], text);
    });
  }
  for (const { id, public: key, vkey } of vkeys) {
    await tally.agrees(vkey, async () => {
      const named = await verifier.readVkey(vkey);
      return named.id === id && named.key === key;
    });
  }
  for (const [what, bytes] of badTexts(badNotes)) await tally.refuses(what, () => verifier.openNote(toText(bytes)));
  for (const [what, bytes] of badTexts(badVkeys)) await tally.refuses(what, () => verifier.readVkey(toText(bytes)));
}

async function recordVectors(tally, { bad, good, origin: [origin] }) {
  for (const { id, kind, leaf, leaf_hash: leafHash } of good) {
    await tally.agrees(id, async () => {
      const record = await verifier.readRecord(leaf, origin);
      return record.id === id && record.kind === kind && hex(await verifier.leafHash(leaf)) === leafHash;
    });
  }
  for (const [what, bytes] of badTexts(bad)) {
    await tally.refuses(what, () => verifier.readRecord(toText(bytes), origin));
  }
}

async function commitmentVectors(tally, { bad, good }) {
  for (const { commitment, opening, payload } of good) {
    await tally.agrees(commitment, async () => {
      verifier.judgeOpeningForm(opening, "opening");
      const hashed = await crypto.subtle.digest("SHA-256", fromHex(payload));
      return hex(hashed) === opening.sha256 && (await verifier.commitmentOf(opening)) === commitment;
    });
  }
  for (const [what, bytes] of badTexts(bad)) {
    await tally.refuses(what, () => verifier.judgeOpeningForm(verifier.parseJson(toText(bytes)).value, "opening"));
  }
}

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((one) => Buffer.from(one)))).digest();

// RFC 9162, section 2.1.1, reckoned apart from the verifier.
function treeRoot(leaves) {
  if (leaves.length === 0) return sha256();
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(sha256([1], level[i], level[i + 1]));
    level = level.length % 2 === 0 ? above : [...above, level.at(-1)];
  }
  return level[0];
}

// RFC 9162, section 2.1.4.2: the two roots that a consistency proof leads to.
async function consistencyRoots(from, to, fromRoot, proof) {
  if (from === to) return proof.length === 0 ? [fromRoot, fromRoot] : [];
  const path = Number.isInteger(Math.log2(from)) ? [fromRoot, ...proof] : [...proof];
  let [number, last] = [from - 1, to - 1];
  while (number % 2 === 1) [number, last] = [(number - 1) / 2, Math.floor(last / 2)];
  let first = path.shift();
  let second = first;
  for (const sibling of path) {
    if (last === 0) return [];
    if (number % 2 === 1 || number === last) {
      [first, second] = [await verifier.nodeHash(sibling, first), await verifier.nodeHash(sibling, second)];
      while (number % 2 === 0 && number !== 0) [number, last] = [number / 2, Math.floor(last / 2)];
    } else {
      second = await verifier.nodeHash(second, sibling);
    }
    [number, last] = [Math.floor(number / 2), Math.floor(last / 2)];
  }
  return last === 0 ? [first, second] : [];
}

async function treeVectors(tally, { consistency, inclusion, roots }) {
  const known = new Map(roots.map(({ root, size }) => [size, root]));
  const leaves = [];
  for (let i = 0; i < Math.max(...known.keys()); i++) leaves.push(sha256([0], Buffer.from(String(i))));
  for (const [size, root] of known) {
    await tally.agrees(`root of ${size}`, () => hex(treeRoot(leaves.slice(0, size))) === root);
  }
  for (const { leaf_hash: leafHash, position, proof, root, size } of inclusion) {
    const hashes = proof.map(fromBase64);
    const what = `inclusion of ${position} in ${size}`;
    await tally.agrees(what, async () => {
      const climbed = await verifier.climb(fromHex(leafHash), position, size, hashes);
      const before = await verifier.foldLeft(climbed.left);
      const through = await verifier.foldLeft([fromHex(leafHash), ...climbed.left]);
      const sides = [[position, before], [position + 1, through]];
      const ownLeaf = hex(leaves[position]) === leafHash;
      return ownLeaf && climbed.root === root && sides.every(([at, side]) => (known.get(at) ?? side) === side);
    });
    await tally.refuses(`${what}, a hash more`, () =>
      verifier.climb(fromHex(leafHash), position, size, [...hashes, fromHex(root)]));
    if (hashes.length > 0) {
      await tally.refuses(`${what}, a hash less`, () =>
        verifier.climb(fromHex(leafHash), position, size, hashes.slice(1)));
    }
  }
  for (const { from, from_root: fromRoot, proof, to, to_root: toRoot } of consistency) {
    await tally.agrees(`consistency of ${from} and ${to}`, async () => {
      const found = await consistencyRoots(from, to, fromHex(fromRoot), proof.map(fromBase64));
      return found.length === 2 && hex(found[0]) === fromRoot && hex(found[1]) === toRoot;
    });
  }
}

async function entryVectors(tally, { bad, good }) {
  const { ledger } = verifier.parseJson(good[0].leaf.split("\n")[1]).value;
  for (const { hash, leaf } of good) {
    await tally.agrees(hash, async () => {
      verifier.readEntry(leaf, ledger);
      return hex(await verifier.leafHash(leaf)) === hash;
    });
  }
  for (const [what, bytes] of badTexts(bad)) {
    await tally.refuses(what, () => verifier.readEntry(toText(bytes), ledger));
  }
}

// `texts` are signed with the key of agency-0 for consensus, which stands in the first set.
async function certificateVectors(tally, { bad, good, sets, texts }, entries) {
  const [{ validators }] = sets;
  const { ledger } = verifier.parseJson(entries.good[0].leaf.split("\n")[1]).value;
  const { hash, leaf } = entries.good[2];
  const entry = { ...verifier.readEntry(leaf, ledger), hash };
  const judge = async (text) => {
    const certificate = verifier.parseJson(text).value;
    verifier.judgeCertificateForm(certificate, "certificate");
    await verifier.judgeCertificate(certificate, entry, validators, ledger);
  };
  for (const text of good) await tally.agrees("the good certificate", () => judge(text));
  for (const [what, bytes] of badTexts(bad)) await tally.refuses(what, () => judge(toText(bytes)));
  for (const { hash: known, validators: set } of sets) {
    await tally.agrees(`set ${known}`, async () => (await verifier.hashSet(set)) === known);
  }
  const key = await crypto.subtle.importKey("raw", fromBase64(validators[0].consensus), "Ed25519", false, ["verify"]);
  for (const { signature, text, what } of texts) {
    await tally.agrees(what, () =>
      crypto.subtle.verify("Ed25519", key, fromBase64(signature), new TextEncoder().encode(text)));
  }
}

// C2SP tlog-policy: the log's key, the witnesses' keys, and how many of one group are the quorum.
async function readPolicy(policy) {
  const rows = policy.trim().split("\n").map((line) => line.split(" "));
  const of = (word) => rows.filter(([first]) => first === word).map(([, ...rest]) => rest);
  const witnesses = await Promise.all(of("witness").map(([, vkey]) => verifier.readVkey(vkey)));
  return { log: await verifier.readVkey(of("log")[0][0]), witnesses, needed: Number(of("group")[0][1]) };
}

async function checkpointVectors(tally, { bad, good }) {
  for (const { note, policy, root, size } of good) {
    await tally.agrees(`size ${size}`, async () => {
      const { text, lines } = verifier.openNote(note);
      const read = verifier.readCheckpointText(text);
      const { log, witnesses, needed } = await readPolicy(policy);
      const verifies = (key) => Promise.all(lines.map((line) => verifier.isLineOf(key, line, text)));
      const signed = async (key) => (await verifies(key)).includes(true);
      const cosigned = (await Promise.all(witnesses.map(signed))).filter(Boolean).length;
      return read.root === root && read.size === size && (await signed(log)) && cosigned >= needed;
    });
  }
  for (const [what, bytes] of badTexts(bad)) {
    await tally.refuses(what, () => verifier.readCheckpointText(toText(bytes)));
  }
}

async function proofVectors(tally, { bad, good }) {
  for (const { leaf, proof, record } of good) {
    await tally.agrees(record, async () => {
      const { given, position, proof: hashes } = verifier.readSingleProof(proof);
      const { root } = await verifier.climb(await verifier.leafHash(leaf), position, given.size, hashes);
      return root === given.root && (await verifier.readRecord(leaf, given.origin)).id === record;
    });
  }
  for (const [what, bytes] of badTexts(bad)) {
    await tally.refuses(what, () => verifier.readSingleProof(toText(bytes)));
  }
}

// A change of evidence.json, at a place of members and indexes. Members are written in ascending order.
function changed(evidence, { change, place }) {
  const copy = JSON.parse(evidence);
  const names = place.split("/");
  const last = names.pop();
  const holder = names.reduce((value, name) => value[name], copy);
  if ("set" in change) holder[last] = change.set;
  if ("replace" in change) holder[last] = holder[last].replace(change.replace, () => change.with);
  if ("add" in change) holder[last][change.add] = "";
  if ("repeat" in change) holder.splice(Number(last), 0, holder[last]);
  if ("remove" in change) Array.isArray(holder) ? holder.splice(Number(last), 1) : delete holder[last];
  return new TextEncoder().encode(JSON.stringify(sorted(copy)));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]));
}

async function evidenceVectors(tally, { mutations, verdict: [expected] }, good, genesis) {
  const hash = hex(await crypto.subtle.digest("SHA-256", genesis));
  for (const known of [{ hash }, { file: genesis }]) {
    await tally.agrees(`the good file, by ${Object.keys(known)}`, async () => {
      const { claims, not_shown: notShown, ok } = await verifier.verify(good, known);
      return JSON.stringify({ claims, not_shown: notShown, ok }) === JSON.stringify(expected);
    });
  }
  await tally.agrees("the hash in the good file", async () => (await verifier.genesisHash(good)) === hash);
  await tally.agrees("the hash of the genesis file", async () => (await verifier.genesisHash(genesis)) === hash);
  for (const mutation of mutations) {
    await tally.agrees(`${mutation.name}, at ${mutation.place}`, async () => {
      const { failed, ok } = await verifier.verify(changed(toText(good), mutation), { hash });
      if (ok || !failed.startsWith(`${mutation.fails}: `)) throw new Error(`wanted ${mutation.fails}, got ${failed}`);
    });
  }
}

async function verifyVectors(folder) {
  const bytes = (name) => read(path.join(folder, `${name}.json`));
  const json = async (name) => JSON.parse(toText(await bytes(name)));
  const [entries, good, genesis] = [await json("entries"), await bytes("good.evidence"), await bytes("genesis")];
  const checks = {
    json: jsonVectors, notes: noteVectors, records: recordVectors, commitments: commitmentVectors, trees: treeVectors,
    entries: entryVectors, certificates: (tally, cases) => certificateVectors(tally, cases, entries),
    checkpoints: checkpointVectors, proofs: proofVectors,
    evidence: (tally, cases) => evidenceVectors(tally, cases, good, genesis),
  };
  const failed = [];
  for (const [name, check] of Object.entries(checks)) {
    const tally = new Tally(name);
    await check(tally, await json(name));
    console.log(`${name}: ${tally.agreed} agree, ${tally.failed.length} do not`);
    failed.push(...tally.failed);
  }
  failed.forEach((line) => console.log(line));
  return failed.length === 0 ? 0 : 1;
}

// --- The command line ---

function parseArguments(words) {
  const options = {};
  while (words.length > 0) {
    const word = words.shift();
    const name = word.replace(/^--/, "");
    const isFlag = ["--json", "--batch"].includes(word);
    const takesValue = ["--genesis", "--pin", "--vectors"].includes(word);
    if (takesValue && words.length === 0) throw new Usage(`${word} wants a value`);
    if (isFlag) options[name] = true;
    else if (takesValue) options[name] = words.shift();
    else if (word.startsWith("--") || options.file !== undefined) throw new Usage(`unexpected ${word}`);
    else options.file = word;
  }
  return options;
}

async function main(words) {
  const options = parseArguments(words);
  if (options.batch) return verifyBatch();
  if (options.vectors !== undefined) return verifyVectors(options.vectors);
  return verifyFile(options);
}

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof Usage || error instanceof Unreadable ? error.message : error);
  if (error instanceof Usage) console.error("usage: verify.mjs FILE --genesis HEX|FILE [--pin FILE] [--json]");
  return error instanceof Usage ? 2 : error instanceof Unreadable ? 6 : 1;
});
