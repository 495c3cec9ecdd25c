/** The pages in a real browser, at desktop and phone width: shown, reachable, refreshed, and nothing injected. */
import assert from "node:assert/strict";
import { createPages } from "../../control/dashboard/app.tsx";
import type { PageSource } from "../../control/dashboard/app.tsx";
import { Chromium, findChromium } from "../support/chromium.ts";
import type { Viewport } from "../support/chromium.ts";
import { OVERVIEW, SAMPLE } from "./sample.ts";

const chromium = findChromium();
if (chromium === null) console.log("tests/browser: skipped, there is no Chromium on this machine");

const DESKTOP: Viewport = { width: 1440, height: 900 };
const PHONE: Viewport = { width: 390, height: 844 };
const PATHS = ["/", "/filters", "/filters/denim/stamp", "/filters/acme/guard"];
/** `PAGES_SCREENSHOTS=DIR` keeps a picture of every page at both widths, to look at. */
const SCREENSHOTS = Deno.env.get("PAGES_SCREENSHOTS");

interface Stage {
  readonly browser: Chromium;
  readonly url: string;
}

async function onStage(source: PageSource, act: (stage: Stage) => Promise<void>): Promise<void> {
  const server = Deno.serve({ port: 0, onListen() {} }, createPages(source).routes.fetch);
  try {
    await using browser = await Chromium.start(chromium!);
    await act({ browser, url: `http://127.0.0.1:${server.addr.port}` });
    assert.deepEqual(browser.problems, [], "the browser's console has errors");
  } finally {
    await server.shutdown();
  }
}

function browserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: chromium === null, fn });
}

browserTest("pages fit their width when it is a desktop's or a phone's", async () => {
  await onStage(SAMPLE, async ({ browser, url }) => {
    for (const path of PATHS) {
      for (const viewport of [DESKTOP, PHONE, { ...PHONE, dark: true }]) {
        await browser.open(`${url}${path}`, viewport);
        const width = await browser.evaluate("document.documentElement.scrollWidth");
        assert.ok(Number(width) <= viewport.width, `${path} is ${width} px wide`);
        await keep(browser, path, viewport);
      }
    }
  });
});

browserTest("pages show hostile texts as text", async () => {
  await onStage(SAMPLE, async ({ browser, url }) => {
    for (const path of PATHS) {
      await browser.open(`${url}${path}`, DESKTOP);
      assert.notEqual(await browser.evaluate("document.title"), "owned");
      assert.equal(await browser.evaluate(`document.querySelectorAll("img").length`), 0);
      const links = `[...document.links].every((a) => a.protocol.startsWith("http"))`;
      assert.equal(await browser.evaluate(links), true);
    }
    await browser.open(`${url}/`, DESKTOP);
    assert.match(String(await browser.evaluate("document.body.innerText")), /<img src=x/);
  });
});

browserTest("the policy of the pages stops a script that got in all the same", async () => {
  const server = Deno.serve({ port: 0, onListen() {} }, createPages(SAMPLE).routes.fetch);
  try {
    await using browser = await Chromium.start(chromium!);
    await browser.open(`http://127.0.0.1:${server.addr.port}/`, DESKTOP);
    await browser.evaluate(`{
      const script = document.createElement("script");
      script.textContent = "document.title = 'owned'";
      document.body.append(script);
    }`);
    assert.notEqual(await browser.evaluate("document.title"), "owned");
    assert.match(browser.problems.join("\n"), /Content Security Policy/);
  } finally {
    await server.shutdown();
  }
});

browserTest("the overview follows the mesh while it is looked at", async () => {
  let revision = 14;
  const source = { ...SAMPLE, overview: () => ({ ...OVERVIEW, revision }) };
  await onStage(source, async ({ browser, url }) => {
    await browser.open(`${url}/`, DESKTOP);
    const shown = `document.querySelector("#figures > div:last-child dd").firstChild.textContent`;
    assert.equal(await browser.evaluate(shown), "14");
    revision = 15;
    await browser.evaluate(`new Promise((resolve) => {
      const look = () => ${shown} === "15" ? resolve(true) : requestAnimationFrame(look);
      look();
    })`);
    await browser.evaluate(`document.querySelector(".live").click()`);
    assert.equal(await browser.evaluate(`document.querySelector(".live").textContent`), "Paused");
  });
});

browserTest("everything to act on is reached with the keyboard", async () => {
  await onStage(SAMPLE, async ({ browser, url }) => {
    await browser.open(`${url}/filters`, DESKTOP);
    const reached: string[] = [];
    const focused = `(document.activeElement.textContent || "").trim().slice(0, 40)`;
    for (let n = 0; n < 40; n++) {
      await browser.press("Tab");
      reached.push(String(await browser.evaluate(focused)));
    }
    for (const wanted of ["Skip to content", "Mesh", "Filters", "Stamp", "Greeter", "Copy"]) {
      assert.ok(reached.includes(wanted), `Tab never came to "${wanted}": ${reached.join(" | ")}`);
    }
    await browser.open(`${url}/filters`, DESKTOP);
    for (let n = 0; n < 5; n++) await browser.press("Tab");
    assert.equal(await browser.evaluate(focused), "Stamp");
    await browser.press("Enter");
    await browser.evaluate(`new Promise((resolve) => {
      const look = () => location.pathname === "/filters/denim/stamp" ? resolve(true) : setTimeout(look, 10);
      look();
    })`).catch(() => {/* The page it ran in went away, which is the point. */});
    assert.equal(await browser.evaluate("location.pathname"), "/filters/denim/stamp");
  });
});

async function keep(browser: Chromium, path: string, viewport: Viewport): Promise<void> {
  if (SCREENSHOTS === undefined) return;
  const name = `${path.replaceAll("/", "_")}-${viewport.width}${viewport.dark ? "-dark" : ""}.png`;
  await Deno.writeFile(`${SCREENSHOTS}/${name}`, await browser.screenshot());
}
