/** A headless Chromium driven over its DevTools socket: as much of it as tests of pages need. */

const FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--hide-scrollbars",
  "--remote-debugging-port=0",
];
const START_MS = 20_000, CALL_MS = 15_000;

/** Path of a Chromium on this machine, or null; `CHROMIUM` names another one. */
export function findChromium(): string | null {
  const places = [Deno.env.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser"];
  for (const place of places) {
    try {
      if (place !== undefined && Deno.statSync(place).isFile) return place;
    } catch {
      // Not there; try the next.
    }
  }
  return null;
}

export interface Viewport {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
}

/** One browser with one tab. */
export class Chromium {
  readonly #process: Deno.ChildProcess;
  readonly #dir: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listeners = new Map<string, (params: unknown) => void>();
  #session = "";
  #nextId = 1;
  /** What pages wrote to their console as errors, refused loads and script errors included. */
  readonly problems: string[] = [];

  private constructor(process: Deno.ChildProcess, dir: string, socket: WebSocket) {
    this.#process = process;
    this.#dir = dir;
    this.#socket = socket;
    socket.onmessage = (event) => this.#receive(String(event.data));
  }

  static async start(path: string): Promise<Chromium> {
    const dir = await Deno.makeTempDir({ prefix: "denim-chromium-" });
    const process = new Deno.Command(path, {
      args: [...FLAGS, `--user-data-dir=${dir}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const socket = new WebSocket(await devtoolsUrl(process));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("Chromium refused its DevTools socket"));
    });
    const browser = new Chromium(process, dir, socket);
    await browser.#attach();
    return browser;
  }

  async open(url: string, viewport: Viewport): Promise<void> {
    await this.call("Emulation.setDeviceMetricsOverride", {
      width: viewport.width,
      height: viewport.height,
      deviceScaleFactor: 1,
      mobile: viewport.width < 700,
    });
    await this.call("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: viewport.dark ? "dark" : "light" }],
    });
    const loaded = Promise.withResolvers<void>();
    this.#listeners.set("Page.loadEventFired", () => loaded.resolve());
    await this.call("Page.navigate", { url });
    await loaded.promise;
  }

  /** The value of a JavaScript expression in the page; promises are awaited. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = answer as {
      result: { value?: unknown };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    };
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.call("Input.dispatchKeyEvent", {
        type,
        key,
        code: key,
        windowsVirtualKeyCode: key === "Tab" ? 9 : key === "Enter" ? 13 : 0,
        ...(key === "Enter" ? { text: "\r" } : {}),
      });
    }
  }

  /** PNG of the whole page. */
  async screenshot(): Promise<Uint8Array> {
    const answer = await this.call("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: true,
    }) as { data: string };
    return Uint8Array.from(atob(answer.data), (c) => c.charCodeAt(0));
  }

  async call(method: string, params: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    const timer = setTimeout(
      () => waiting.reject(new Error(`Chromium did not answer ${method}`)),
      CALL_MS,
    );
    const session = this.#session === "" ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
    this.#process.kill("SIGKILL");
    await this.#process.status;
    // Its helpers may write for a moment after the browser itself has gone.
    for (let tries = 0; tries < 20; tries++) {
      const gone = await Deno.remove(this.#dir, { recursive: true }).then(() => true, () => false);
      if (gone) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #attach(): Promise<void> {
    const { targetInfos } = await this.call("Target.getTargets") as {
      targetInfos: { targetId: string; type: string }[];
    };
    const tab = targetInfos.find((target) => target.type === "page");
    const { sessionId } = await this.call("Target.attachToTarget", {
      targetId: tab!.targetId,
      flatten: true,
    }) as { sessionId: string };
    this.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log"]) await this.call(`${domain}.enable`);
  }

  #receive(text: string): void {
    const message = JSON.parse(text);
    if (message.id !== undefined) {
      const waiting = this.#waiting.get(message.id);
      if (message.error === undefined) waiting?.resolve(message.result);
      else waiting?.reject(new Error(message.error.message));
      return;
    }
    if (message.method === "Log.entryAdded" && message.params.entry.level === "error") {
      this.problems.push(message.params.entry.text);
    }
    if (message.method === "Runtime.exceptionThrown") {
      this.problems.push(message.params.exceptionDetails.text);
    }
    this.#listeners.get(message.method)?.(message.params);
  }
}

async function devtoolsUrl(process: Deno.ChildProcess): Promise<string> {
  const found = Promise.withResolvers<string>();
  const timer = setTimeout(() => found.reject(new Error("Chromium did not start")), START_MS);
  void (async () => {
    let text = "";
    for await (const chunk of process.stderr.pipeThrough(new TextDecoderStream())) {
      if (text.length < 65_536) text += chunk;
      const url = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (url !== undefined) found.resolve(url);
    }
    found.reject(new Error(`Chromium ended: ${text.slice(-400)}`));
  })();
  try {
    return await found.promise;
  } finally {
    clearTimeout(timer);
  }
}
