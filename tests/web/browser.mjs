// Drives the built verifier page in headless Chromium, over the pipe of the DevTools protocol:
//   node tests/web/browser.mjs PAGE --evidence FILE --genesis HEX [--batch LINES]
// Checks the page as its reader sees it, and with --batch prints a verdict a line for the lines of LINES (the format of
// tests/web/verify.mjs --batch), judged by the module inside the page. The browser is CHROMIUM of the environment or
// `chromium`. Prints `N passed, N failed`; exit code 0 when all passed, else 1.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const COMMAND_MS_MAX = 30_000; // an answer of the browser; a slow machine starts it in a few seconds
const PAGE_MS_MAX = 20_000; // the page comes to a state that a check waits for
const POLL_MS = 50;
const BATCH_LINES = 50; // lines handed to the page at a time, so that one command stays short

const STEPS = [
  "form", "genesis", "checkpoint", "handovers", "head", "signatures", "blocks", "records", "openings", "pin",
];

// --- The browser ---

// Commands and events of the DevTools protocol: JSON texts, each ended by a zero byte, on descriptors 3 and 4.
class Browser {
  static async start() {
    const profile = await mkdtemp(path.join(tmpdir(), "verify-page-"));
    const words = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
      "--disable-dev-shm-usage", "--disable-background-networking", `--user-data-dir=${profile}`, "about:blank",
    ];
    const child = spawn(process.env.CHROMIUM ?? "chromium", words, {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true,
    });
    return new Browser(child, profile);
  }

  constructor(child, profile) {
    Object.assign(this, { child, profile, waiting: new Map(), events: [], sent: 0, session: undefined });
    this.ended = new Promise((resolve) => child.once("close", resolve));
    child.once("error", (error) => this.fail(error));
    child.once("close", () => this.fail(new Error("the browser ended")));
    child.stdio[3].on("error", (error) => this.fail(error));
    let rest = "";
    child.stdio[4].setEncoding("utf8").on("data", (chunk) => {
      const texts = (rest + chunk).split("\0");
      rest = texts.pop();
      texts.forEach((text) => this.receive(JSON.parse(text)));
    });
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    this.broken = error;
  }

  receive({ error, id, method, params, result }) {
    if (id === undefined) {
      this.events.push({ method, params });
      return;
    }
    const { reject, resolve } = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error !== undefined) reject?.(new Error(error.message));
    else resolve?.(result);
  }

  async send(method, params = {}) {
    if (this.broken !== undefined) throw this.broken;
    const id = ++this.sent;
    const answered = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`);
    return bounded(answered, COMMAND_MS_MAX, method);
  }

  async openTab() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    this.session = (await this.send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    for (const domain of ["Page", "Runtime", "Network", "Log", "DOM"]) await this.send(`${domain}.enable`);
  }

  async evaluate(expression) {
    const { exceptionDetails, result } = await this.send("Runtime.evaluate", {
      expression, awaitPromise: true, returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? expression);
    return result.value;
  }

  async chooseFile(selector, file) {
    const { root } = await this.send("DOM.getDocument");
    const { nodeId } = await this.send("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.send("DOM.setFileInputFiles", { nodeId, files: [path.resolve(file)] });
  }

  async stop() {
    try {
      process.kill(-this.child.pid, "SIGKILL"); // its helpers are of its process group
    } catch {
      // It has ended already.
    }
    await Promise.race([this.ended, sleep(5_000)]);
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());

async function bounded(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// --- The page, as a reader sees it ---

class VerifierPage {
  constructor(browser, url) {
    Object.assign(this, { browser, url });
  }

  async open(language) {
    await this.browser.send("Page.navigate", { url: "about:blank" });
    await this.browser.send("Page.navigate", { url: `${this.url}#${language}` });
    await this.until("the page is open", () => this.browser.evaluate(
      "document.readyState === 'complete' && document.querySelector('h1').textContent !== ''"));
  }

  async type(hash) {
    await this.browser.evaluate(`(() => {
      const field = document.querySelector("#hash");
      field.value = ${JSON.stringify(hash)};
      field.dispatchEvent(new Event("input", { bubbles: true }));
    })()`);
  }

  async speak(language) {
    await this.browser.evaluate(`document.querySelector("[data-language=${language}]").click()`);
  }

  choose(selector, file) {
    return this.browser.chooseFile(selector, file);
  }

  async until(what, condition) {
    const end = Date.now() + PAGE_MS_MAX;
    while (Date.now() < end) {
      if (await condition()) return;
      await sleep(POLL_MS);
    }
    throw new Error(`${what}: not within ${PAGE_MS_MAX} ms`);
  }

  async settled(state) {
    await this.until(`state ${state}`, async () =>
      (await this.browser.evaluate("document.body.dataset.state")) === state);
    return this.look();
  }

  look() {
    return this.browser.evaluate(`(() => {
      const all = (selector) => [...document.querySelectorAll(selector)];
      return {
        language: document.documentElement.lang,
        title: document.querySelector("h1").textContent,
        verdict: document.querySelector("#verdict").textContent,
        steps: Object.fromEntries(all("[data-step]").map((one) => [one.dataset.step, one.dataset.tone])),
        claims: document.querySelector("#claims").hidden ? [] : all("tr.claim").map((row) =>
          [...row.cells].map((cell) => cell.textContent)),
        text: document.body.innerText,
        notShown: all("#not-shown li").length,
      };
    })()`);
  }
}

// --- The checks ---

const results = { passed: 0, failed: 0 };

async function check(what, task) {
  try {
    await task();
    results.passed += 1;
    console.error(`ok      ${what}`);
  } catch (error) {
    results.failed += 1;
    console.error(`FAILED  ${what}: ${error.message}`);
  }
}

function same(found, wanted, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${what}: ${one}, wanted ${other}`);
}

function holds(text, part) {
  if (!text.includes(part)) throw new Error(`${JSON.stringify(text)} does not hold ${JSON.stringify(part)}`);
}

function lacks(text, part) {
  if (text.includes(part)) throw new Error(`${JSON.stringify(text)} holds ${JSON.stringify(part)}`);
}

// The records of an evidence file as the table must show them; which block holds each is told by `blocks`.
function claimsOf(evidence) {
  const jsonOf = ({ leaf }) => JSON.parse(leaf.split("\n")[1]);
  return evidence.entries.map((entry) => {
    const block = evidence.blocks.map(jsonOf).find(({ first, position }) =>
      first <= entry.position && entry.position < position);
    const { by, kind } = jsonOf(entry);
    return [kind, by, block.time.replace("T", " ").replace("Z", ""), String(entry.position), String(block.height)];
  });
}

// A copy whose first digit of the head's state hash is another, which the step `head` must refuse.
async function flippedCopy(bytes, folder) {
  const text = bytes.toString("latin1");
  const at = text.indexOf("\\\"state\\\":\\\"", text.indexOf("\"head\":")) + "\\\"state\\\":\\\"".length;
  const copy = Buffer.from(bytes);
  copy[at] ^= 1;
  const file = path.join(folder, "flipped.evidence.json");
  await writeFile(file, copy);
  return file;
}

const greenBut = (others) => Object.fromEntries(STEPS.map((step) => [step, others[step] ?? "good"]));

async function checkPage(page, browser, { evidence, genesis }) {
  const bytes = await readFile(evidence);
  const wanted = claimsOf(JSON.parse(bytes.toString("utf8")));
  await check("opens from disk and waits for a file", async () => {
    await page.open("en");
    holds((await page.settled("nothing")).verdict, "No evidence file yet");
  });
  await check("without a genesis hash it is not called verified, and shows the hash to compare", async () => {
    await page.choose("#evidence", evidence);
    const seen = await page.settled("unpinned");
    lacks(seen.verdict.replace("Not verified", ""), "erified");
    holds(seen.verdict, "Not verified");
    holds(seen.verdict, genesis);
    same(seen.steps, greenBut({ genesis: "wait", pin: "none" }), "steps");
    lacks(seen.text, "What is proven");
    lacks(seen.text, "On whose word");
  });
  await check("a malformed hash is not called verified either", async () => {
    await page.type(genesis.slice(1));
    holds((await page.settled("unpinned")).verdict, "Not verified");
  });
  await check("with the genesis hash all steps turn green and the claims are those of the file", async () => {
    await page.type(genesis);
    const seen = await page.settled("verified");
    same(seen.steps, greenBut({ pin: "none" }), "steps");
    same(seen.claims, wanted, "claims");
    holds(seen.text, "What is proven");
    holds(seen.text, "On whose word");
    if (seen.notShown < 5) throw new Error("it does not say what is not shown");
  });
  await check("in Chinese the same", async () => {
    await page.speak("zh");
    const seen = await page.settled("verified");
    same([seen.language, seen.title], ["zh-CN", "\u6838\u9a8c\u8bc1\u636e"], "language");
    holds(seen.verdict, "\u6838\u9a8c\u901a\u8fc7");
    same(seen.steps, greenBut({ pin: "none" }), "steps");
    same(await browser.evaluate("location.hash"), "#zh", "the language in the address");
  });
  await check("and in English again", async () => {
    await page.speak("en");
    const seen = await page.settled("verified");
    same([seen.language, seen.title], ["en", "Verify evidence"], "language");
  });
  await check("another genesis hash is refused", async () => {
    await page.type(`${genesis.slice(0, -1)}${genesis.endsWith("0") ? "1" : "0"}`);
    const seen = await page.settled("refused");
    same([seen.steps.form, seen.steps.genesis, seen.steps.records], ["good", "bad", "none"], "steps");
    same(seen.claims, [], "claims");
  });
  await check("a byte that was changed turns its step red, and nothing is claimed", async () => {
    await page.open("en");
    await page.type(genesis);
    await page.choose("#evidence", await flippedCopy(bytes, browser.profile));
    const seen = await page.settled("refused");
    same([seen.steps.handovers, seen.steps.head, seen.steps.signatures], ["good", "bad", "none"], "steps");
    holds(seen.verdict, "Refused");
    same(seen.claims, [], "claims");
  });
  await check("a checkpoint of the reader's is compared", async () => {
    const { checkpoint } = JSON.parse(bytes.toString("utf8"));
    const file = path.join(browser.profile, "held.checkpoint");
    await writeFile(file, checkpoint);
    await page.open("en");
    await page.type(genesis);
    await page.choose("#pin", file);
    await page.choose("#evidence", evidence);
    same((await page.settled("verified")).steps, greenBut({}), "steps");
  });
  await check("no network request and no error", () => checkQuiet(browser, page.url));
}

function checkQuiet(browser, url) {
  const requests = browser.events
    .filter(({ method }) => method === "Network.requestWillBeSent")
    .map(({ params }) => params.request.url.replace(/#.*/, ""))
    .filter((requested) => requested !== url && requested !== "about:blank");
  same(requests, [], "requests");
  const errors = browser.events
    .filter(({ method, params }) => method === "Runtime.exceptionThrown" || method === "Log.entryAdded" ||
      (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)))
    .map(({ params }) => params.entry?.text ?? params.exceptionDetails?.text ?? JSON.stringify(params.args));
  same(errors, [], "errors");
}

// Verdicts by the module inside the page, in the order of the lines.
async function judgeBatch(page, browser, file) {
  await page.open("en");
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  for (let at = 0; at < lines.length; at += BATCH_LINES) {
    const verdicts = await browser.evaluate(`(async () => {
      const decode = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
      const judge = async ({ evidence, genesis, pin }) => {
        const pinned = pin === undefined ? undefined : decode(pin);
        const { claims, failed, not_shown, ok, word } = await verify(decode(evidence), { hash: genesis }, pinned);
        return JSON.stringify({ claims, failed, not_shown, ok, word });
      };
      return Promise.all([${lines.slice(at, at + BATCH_LINES).join(",")}].map(judge));
    })()`);
    process.stdout.write(`${verdicts.join("\n")}\n`);
  }
}

// --- The command line ---

function parseArguments(words) {
  const options = {};
  for (let i = 0; i < words.length; i++) {
    if (["--evidence", "--genesis", "--batch"].includes(words[i])) options[words[i].slice(2)] = words[++i];
    else options.page = words[i];
  }
  const { evidence, genesis, page } = options;
  if ([evidence, genesis, page].includes(undefined)) {
    throw new Error("usage: browser.mjs PAGE --evidence FILE --genesis HEX [--batch LINES]");
  }
  return options;
}

async function main(words) {
  const options = parseArguments(words);
  const browser = await Browser.start();
  process.once("SIGINT", () => browser.stop().then(() => process.exit(1)));
  process.once("SIGTERM", () => browser.stop().then(() => process.exit(1)));
  try {
    await browser.openTab();
    const page = new VerifierPage(browser, pathToFileURL(path.resolve(options.page)).href);
    await checkPage(page, browser, options);
    if (options.batch !== undefined) {
      await check("the lines are judged inside the page", () => judgeBatch(page, browser, options.batch));
    }
  } finally {
    await browser.stop();
  }
  const print = options.batch === undefined ? console.log : console.error; // stdout is for verdicts then
  print(`${results.passed} passed, ${results.failed} failed`);
  return results.failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  return 1;
});
