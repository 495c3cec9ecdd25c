/** The frame every page has: head with navigation, main part, footer. */
import type { Child } from "hono/jsx";

/** Who looks. */
export type Account =
  | { readonly signedIn: false; readonly canSignIn: boolean }
  | {
    readonly signedIn: true;
    readonly name: string;
    readonly roles: readonly string[];
    readonly isAdmin: boolean;
    /** Of the session; null when a token was shown instead. */
    readonly csrf: string | null;
  };

export interface LayoutProps {
  readonly title: string;
  readonly here: "mesh" | "filters" | "audit" | "none";
  readonly account: Account;
  readonly trustDomain: string;
  /** Whether the page refreshes itself. */
  readonly live: boolean;
  readonly assets: { readonly style: string; readonly script: string };
  readonly children?: Child;
}

export function Layout(props: LayoutProps): Child {
  const { title, here, live, assets, account } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title} · Denim</title>
        {account.signedIn && account.csrf !== null
          ? <meta name="denim-csrf" content={account.csrf} />
          : ""}
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href={assets.style} />
        <script src={assets.script} defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="top">
          <div class="wide">
            <a class="brand" href="/">
              <Mark />
              Denim
            </a>
            <nav aria-label="Pages">
              <a href="/" aria-current={here === "mesh" ? "page" : undefined}>Mesh</a>
              <a href="/filters" aria-current={here === "filters" ? "page" : undefined}>Filters</a>
              {account.signedIn && account.isAdmin
                ? <a href="/audit" aria-current={here === "audit" ? "page" : undefined}>Audit</a>
                : ""}
            </nav>
            <span class="domain">{props.trustDomain}</span>
            <Who account={account} />
            {live
              ? <button class="live" type="button" aria-pressed="true" hidden>Live</button>
              : ""}
          </div>
        </header>
        <main id="main" tabindex={-1}>
          <div class="wide">{props.children}</div>
        </main>
        <footer>
          <div class="wide">
            Denim control plane. The same facts as JSON: <a href="/api/v1/services">services</a>,
            {" "}
            <a href="/api/v1/proxies">proxies</a>, <a href="/api/v1/revisions">revisions</a>,{" "}
            <a href="/api/v1/filters">filters</a>.
          </div>
        </footer>
      </body>
    </html>
  );
}

function Who({ account }: { account: Account }): Child {
  if (!account.signedIn) {
    return account.canSignIn ? <a class="who" href="/login">Sign in</a> : "";
  }
  const { name, roles, csrf } = account;
  return (
    <form class="who" method="post" action="/logout">
      <span>
        {name} <small>{roles.join(", ")}</small>
      </span>
      {csrf === null ? "" : (
        <>
          <input type="hidden" name="csrf" value={csrf} />
          <button type="submit">Sign out</button>
        </>
      )}
    </form>
  );
}

/** Twill: the diagonal that makes cloth denim. */
export const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 26 26" width="26" height="26">` +
  `<rect width="26" height="26" rx="6" fill="#3b55a8"/>` +
  `<path d="M-3 13 13-3M-3 25 25-3M3 31 31 3M15 31 31 15" stroke="#7f98e6" stroke-width="3.2"/>` +
  `<path d="M4 20h18" stroke="#f0a66d" stroke-width="2.2" stroke-dasharray="4 2.6"/></svg>`;

function Mark(): Child {
  return (
    <svg viewBox="0 0 26 26" width="26" height="26" aria-hidden="true">
      <clipPath id="mark">
        <rect width="26" height="26" rx="6" />
      </clipPath>
      <g clip-path="url(#mark)">
        <rect width="26" height="26" fill="#3b55a8" />
        <path
          d="M-3 13 13-3M-3 25 25-3M3 31 31 3M15 31 31 15"
          stroke="#7f98e6"
          stroke-width="3.2"
        />
        <path d="M4 20h18" stroke="#f0a66d" stroke-width="2.2" stroke-dasharray="4 2.6" />
      </g>
    </svg>
  );
}
