// Reads the page of `pullthru check --format html` as people do, in Debian's Chromium:
//   node tests/it/html/page.js DIRECTORY
// with page.html, its report.json, hostile.html and large.html in the directory. Asserts, and says so at its end.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "../../..");
const peers = path.join(root, "target/peers/browser");
const { chromium } = require(path.join(peers, "node_modules/playwright-core"));
const directory = process.argv[2];
const report = JSON.parse(fs.readFileSync(path.join(directory, "report.json"), "utf8"));

let browser;

// A tab with one of the pages, which fails when anything is asked for, said on the console, or run that should not be.
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, offline: true, ...options });
  const page = await context.newPage();
  const address = `file://${path.join(directory, name)}`;
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on("request", (request) => request.url() === address || complaints.push(`request: ${request.url()}`));
  await page.goto(address);
  const close = async () => {
    assert.deepEqual(complaints, [], name);
    await context.close();
  };
  return { page, close };
}

const seen = (page) => page.locator("#images tbody tr:visible").count();
const focused = (page, property) => page.evaluate((property) => document.activeElement?.[property] ?? "", property);

// Presses Tab until the element with this id, or this text, has the focus.
async function tabTo(page, wanted, key = "Tab") {
  for (let steps = 0; steps < 200; steps++) {
    if ((await focused(page, "id")) === wanted || (await focused(page, "textContent")) === wanted) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${wanted} does not come into focus`);
}

// Chooses in a list by its arrows.
async function choose(page, id, text) {
  await tabTo(page, id);
  const chosen = () => page.locator(`#${id} option:checked`).textContent();
  await page.keyboard.press("Home");
  for (let steps = 0; steps < 50 && (await chosen()) !== text; steps++) await page.keyboard.press("ArrowDown");
  assert.equal(await chosen(), text);
}

async function numbers() {
  const { page, close } = await open("page.html");
  const statuses = { cached: "cached", bypassing: "bypassing", notCacheable: "not cacheable", excluded: "excluded", unknown: "unknown" };
  const { coverage } = report.summary;
  assert.equal(await page.locator("#share-images .percent").textContent(), `at most ${coverage.percent} %`);
  for (const part of ["images", "references"]) {
    const count = coverage[part];
    const section = page.locator(`#share-${part}`);
    assert.deepEqual(
      await section.locator("dd").allTextContents(),
      Object.keys(statuses).map((status) => String(count[status])),
    );
    const bar = section.getByRole("img");
    const total = Object.keys(statuses).reduce((sum, status) => sum + count[status], 0);
    const words = Object.entries(statuses).filter(([status]) => count[status] > 0);
    assert.equal(await bar.locator("title").textContent(),
      `${total} ${part}, ${words.map(([status, word]) => `${count[status]} ${word}`).join(", ")}`);
    const widths = await bar.locator("rect").evaluateAll((rects) => rects.map((rect) => rect.getBoundingClientRect().width));
    const whole = (await bar.boundingBox()).width;
    assert.ok(Math.abs(widths[0] / whole - count.cached / total) < 0.01, `${widths} of ${whole}`);
  }
  assert.ok((await page.title()).includes(`at most ${coverage.percent} %`));
  assert.equal(await page.locator(".findings > li").filter({ has: page.locator("a") }).count(), report.findings.length);
  for (const finding of report.findings.slice(0, 5)) {
    const place = page.locator(`#rule-${finding.rule} li > p > a`, { hasText: `${finding.path}:${finding.line}` });
    assert.equal(await place.first().getAttribute("href"), `./${finding.path}#L${finding.line}`);
  }
  // As assistive technology is told.
  await page.getByRole("table", { name: "Images" }).waitFor();
  assert.equal(await page.getByRole("row").filter({ has: page.getByRole("rowheader") }).count() > 30, true);
  await close();
}

async function keyboard() {
  const { page, close } = await open("page.html");
  const total = await page.locator("#images tbody tr").count();
  const status = page.getByRole("status");
  assert.equal(await status.textContent(), `${total} images`);
  assert.equal(await seen(page), total);
  await page.keyboard.press("Tab");
  assert.equal(await focused(page, "textContent"), "To the images");
  await page.keyboard.press("Enter");
  await tabTo(page, "text");
  // The focus is seen.
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  assert.equal(outline, "3px");
  await page.keyboard.type("KYVERNO ghcr");
  assert.equal(await status.textContent(), `2 of ${total} images`);
  assert.equal(await seen(page), 2);
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  for (const state of ["bypassing", "cached"]) {
    await choose(page, "state", state);
    const number = await page.locator(`#images tbody strong.${state}`, { hasText: new RegExp(`^${state}$`) }).count();
    assert.ok(number > 0, state);
    assert.equal(await seen(page), number, state);
    assert.equal(await status.textContent(), `${number} of ${total} images`);
  }
  await choose(page, "state", "all");
  await choose(page, "upstream", "mcr.microsoft.com");
  assert.equal(await seen(page), 1);
  await choose(page, "upstream", "ghcr.io");
  const ghcr = await seen(page);
  assert.ok(ghcr > 1 && ghcr < total);
  const names = await page.locator("#images tbody tr:visible > :nth-child(1)").allTextContents();
  assert.ok(names.every((name) => name.includes("ghcr.io")), names.join());
  await choose(page, "cluster", "clusters/dev");
  const dev = await page.locator("#images tbody tr:visible td:nth-child(5)").allTextContents();
  assert.ok(dev.length > 10 && dev.length < ghcr && dev.every((text) => text.includes("clusters/dev")));
  await choose(page, "outcome", "cold-digest");
  const cold = await page.locator("#images tbody tr:visible td:nth-child(6)").allTextContents();
  assert.ok(cold.length > 0 && cold.length < dev.length && cold.every((text) => text.includes("cold-digest")), cold.join());
  await tabTo(page, "Show all");
  await page.keyboard.press("Enter");
  await page.waitForFunction((text) => document.getElementById("shown").textContent === text, `${total} images`);
  assert.equal(await seen(page), total);
  // Sorting, both ways, by the heads of the columns.
  const column = (number) => page.locator(`#images tbody tr > :nth-child(${number})`).allTextContents();
  const before = await column(1);
  await tabTo(page, "State");
  await page.keyboard.press("Enter");
  const states = (await column(3)).map((text) => text.split(" ")[0]);
  assert.deepEqual(states, [...states].sort());
  assert.equal(await page.locator("#images th[aria-sort=ascending]").textContent(), "State");
  await page.keyboard.press("Space");
  const reversed = (await column(3)).map((text) => text.split(" ")[0]);
  assert.deepEqual(reversed, states.reverse());
  assert.notDeepEqual(await column(1), before);
  await tabTo(page, "Image", "Shift+Tab");
  await page.keyboard.press("Enter");
  assert.deepEqual(await column(1), before);
  // Parts that open do so by keyboard.
  await page.locator("#rule-bypasses-cache > summary").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#rule-bypasses-cache").getAttribute("open"), null);
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.locator("#rule-bypasses-cache").getAttribute("open"), "");
  await close();
}

async function withoutScript() {
  const { page, close } = await open("page.html", { javaScriptEnabled: false });
  const bypassing = new Set(report.findings.filter((row) => row.rule === "bypasses-cache").map((row) => row.image));
  assert.equal(await seen(page), await page.locator("#images tbody tr").count());
  assert.equal(await page.locator("#filters").isVisible(), false);
  assert.equal(await page.locator("#images strong.bypassing", { hasText: /^bypassing$/ }).count() > 0, bypassing.size > 0);
  assert.equal(await page.locator("#images button").count(), 0);
  await close();
}

// Colours as they are drawn, and whether anything is wider than the window.
async function looks() {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await open("page.html", { colorScheme: "light" });
  const dark = await open("page.html", { colorScheme: "dark" });
  assert.equal(await ground(light.page), "rgb(255, 255, 255)");
  assert.equal(await ground(dark.page), "rgb(14, 18, 23)");
  await light.close();
  await dark.close();
  for (const name of ["page.html", "hostile.html"]) {
    for (const width of [320, 360, 700, 1000, 1280]) {
      const { page, close } = await open(name, { viewport: { width, height: 800 } });
      const wide = await page.evaluate(() => {
        const width = document.documentElement.clientWidth;
        const over = [...document.querySelectorAll("main *")].filter((element) => {
          const box = element.getBoundingClientRect();
          return box.right > width + 1 && box.width > 1;
        });
        return [document.documentElement.scrollWidth - width, ...over.slice(0, 3).map((element) => element.outerHTML)];
      });
      assert.deepEqual(wide, [0], `${name} at ${width}`);
      await close();
    }
  }
}

async function hostile() {
  const { page, close } = await open("hostile.html");
  assert.equal(await page.evaluate(() => window.injected), undefined);
  assert.equal(await page.locator("script").count(), 1);
  assert.equal(await page.locator("img, iframe, object, embed, link, [onerror], [onfocus], [autofocus]").count(), 0);
  assert.ok((await page.locator("#images").textContent()).includes("<script>window.injected=1</"));
  const addresses = await page.locator("a").evaluateAll((links) => links.map((link) => link.protocol));
  assert.deepEqual([...new Set(addresses)], ["file:"]);
  await page.locator("#text").fill("<script>");
  assert.ok((await seen(page)) > 0);
  await close();
  // Were there a hole, the policy would close it.
  const tab = await browser.newContext({ offline: true });
  const text = fs.readFileSync(path.join(directory, "hostile.html"), "utf8");
  fs.writeFileSync(path.join(directory, "hole.html"), text.replace("<main>", "<main><script>window.injected=1</script><img src=x onerror='window.injected=2'>"));
  const hole = await tab.newPage();
  await hole.goto(`file://${path.join(directory, "hole.html")}`);
  assert.equal(await hole.locator("script").count(), 2);
  assert.equal(await hole.evaluate(() => window.injected), undefined);
  await tab.close();
}

// Twenty thousand rows answer while one types.
async function large() {
  const begin = Date.now();
  const { page, close } = await open("large.html");
  const loaded = Date.now() - begin;
  const took = await page.evaluate(() => {
    const text = document.getElementById("text");
    const begin = performance.now();
    text.value = "app-7-";
    text.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.offsetHeight;
    return performance.now() - begin;
  });
  assert.equal(await page.getByRole("status").textContent(), "20 of 20000 images");
  assert.equal(await seen(page), 20);
  await page.locator("#text").fill("team-7/");
  assert.equal(await page.getByRole("status").textContent(), "400 of 20000 images");
  await page.locator("#text").fill("app-1");
  const status = await page.getByRole("status").textContent();
  const number = Number(status.match(/^(\d+) of 20000 images, the first 500 shown$/)?.[1]);
  assert.ok(number > 500, status);
  assert.equal(await seen(page), 500);
  await page.locator("#more").press("Enter");
  assert.equal(await seen(page), number);
  assert.equal(await page.locator("#more").isVisible(), false);
  assert.equal(await focused(page, "tagName"), "A");
  console.log(`20,000 images: there after ${loaded} ms, filtered in ${Math.round(took)} ms`);
  assert.ok(took < 5000, `${took} ms`);
  await close();
}

(async () => {
  // Without the last five, Chromium asks for hosts of its maker.
  browser = await chromium.launch({
    executablePath: fs.readFileSync(path.join(peers, "chromium"), "utf8").trim(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    for (const part of [numbers, keyboard, withoutScript, looks, hostile, large]) {
      await part();
      console.log(`${part.name}: ok`);
    }
  } finally {
    await browser.close();
  }
  console.log("all of it holds");
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
