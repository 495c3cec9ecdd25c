/** The few calls of the control plane's API a local mesh needs while it starts. */

export interface ApiErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details?: readonly { readonly path: string; readonly message: string }[];
  };
}

/** An answer of the control plane that is not a success; the message has all it said. */
export class ControlApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ControlApiError";
    this.status = status;
  }
}

export class ControlClient {
  readonly url: string;
  /** The admin token, for tools that call by themselves. */
  readonly token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.token = token;
  }

  async apply(documents: string, message: string): Promise<{ revision: number }> {
    return await this.#call("POST", "/api/v1/apply", { documents, message }) as {
      revision: number;
    };
  }

  /** A single-use join token for `namespace/name`. */
  async joinToken(identity: string): Promise<string> {
    const { token } = await this.#call("POST", "/api/v1/tokens", { identity }) as { token: string };
    return token;
  }

  /** PEM. */
  async trustBundle(): Promise<string> {
    const response = await this.#fetch("GET", "/api/v1/trust-bundle");
    return await response.text();
  }

  async get(path: string): Promise<unknown> {
    return await this.#call("GET", path);
  }

  async post(path: string, body: unknown): Promise<unknown> {
    return await this.#call("POST", path, body);
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    return await (await this.#fetch(method, path, body)).json();
  }

  async #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (response.ok) return response;
    throw new ControlApiError(response.status, describe(await response.text(), response.status));
  }
}

function describe(text: string, status: number): string {
  try {
    const { error } = JSON.parse(text) as ApiErrorBody;
    const details = (error.details ?? []).map((one) => `\n  ${one.path}: ${one.message}`);
    return `${error.message}${details.join("")}`;
  } catch {
    return `The control plane answered ${status}: ${text.slice(0, 500)}`;
  }
}
