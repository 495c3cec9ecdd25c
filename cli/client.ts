/** Calls to the control plane: where it is, with which token, and its errors as sentences. */
import type { Args, FlagSpec } from "./args.ts";
import { readIfThere } from "../control/files.ts";

/** Flags of every verb that talks to the control plane. */
export const CLIENT_FLAGS = {
  control: { value: "URL", help: "Control plane; else DENIM_CONTROL, else .denim/local.json" },
  "token-file": { value: "FILE", help: "Access token; else DENIM_TOKEN, else beside local.json" },
} as const satisfies Record<string, FlagSpec>;

const LOCAL = ".denim/local.json", LOCAL_TOKEN = ".denim/admin.token";
const TIMEOUT_MS = 60_000;

interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly details?: readonly {
      readonly resource?: string;
      readonly document?: number;
      readonly path: string;
      readonly message: string;
    }[];
  };
}

/** The control plane said no. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ControlError";
    this.status = status;
  }
}

export class Client {
  readonly url: string;
  readonly #token: () => Promise<string | null>;

  constructor(url: string, token: () => Promise<string | null>) {
    this.url = url;
    this.#token = token;
  }

  /** Finds the control plane the way every verb does; rejects with what to do when there is none. */
  static async find(args: Args): Promise<Client> {
    const url = args.find("control") ?? Deno.env.get("DENIM_CONTROL") ?? await localUrl();
    if (url === null) {
      throw new Error(
        "No control plane is known. Start a mesh with: deno task run, or name one with --control URL",
      );
    }
    if (!/^https?:\/\//.test(url)) {
      throw new Error(`The control plane is "${url}"; wanted a URL such as http://127.0.0.1:7000`);
    }
    return new Client(url.replace(/\/+$/, ""), () => findToken(args.find("token-file")));
  }

  async get<T>(path: string): Promise<T> {
    return await this.#call("GET", path) as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return await this.#call("POST", path, body) as T;
  }

  async delete<T>(path: string): Promise<T> {
    return await this.#call("DELETE", path) as T;
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const token = await this.#token();
    if (token === null && method !== "GET") {
      throw new Error(
        "No access token is known. Name its file with --token-file: one of denim token create --role, " +
          "or DATA/admin.token of the control plane",
      );
    }
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (token !== null) headers["authorization"] = `Bearer ${token}`;
    const response = await this.#fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new ControlError(response.status, explain(text, response.status));
    return JSON.parse(text);
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.url}/api/v1${path}`, init);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `The control plane at ${this.url} cannot be reached: ${reason}. ` +
          "Is it running? Traffic in the mesh goes on without it",
      );
    }
  }
}

async function localUrl(): Promise<string | null> {
  const text = await readIfThere(LOCAL);
  if (text === null) return null;
  try {
    const { control } = JSON.parse(text) as { control?: unknown };
    return typeof control === "string" ? control : null;
  } catch {
    throw new Error(`Cannot read "${LOCAL}": it is not JSON. Start the mesh again: deno task run`);
  }
}

async function findToken(file: string | null): Promise<string | null> {
  if (file !== null) {
    const text = await readIfThere(file);
    if (text === null) throw new Error(`There is no token file "${file}"`);
    return text.trim();
  }
  return Deno.env.get("DENIM_TOKEN")?.trim() ?? (await readIfThere(LOCAL_TOKEN))?.trim() ?? null;
}

/** One line for the whole, one for each thing that is wrong. */
function explain(text: string, status: number): string {
  let body: ErrorBody;
  try {
    body = JSON.parse(text) as ErrorBody;
  } catch {
    return `The control plane answered ${status}: ${text.slice(0, 300)}`;
  }
  const { message, details = [] } = body.error;
  if (details.length === 0) return message;
  const lines = details.map(({ resource = "", document, path, message }) => {
    const which = resource !== "" || document === undefined ? resource : `document ${document + 1}`;
    return `  ${[which, path].filter((part) => part !== "").join(" ")} ${message}`;
  });
  // What is wrong with one field is the whole message already.
  if (lines.length === 1 && lines[0]!.trim() === message.trim()) return message;
  return [message.split(":")[0], ...lines].join("\n");
}
