// Visitor groups for A/B tests: every visitor is put into group "a" or "b" and stays there.
//
// Written in AssemblyScript against a published Proxy-Wasm SDK; the same file runs in other proxies
// that speak Proxy-Wasm 0.2.1.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  log,
  LogLevelValues,
  registerRootContext,
  RootContext,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

const FILTER: string = "visitor-groups@1.0.0";
const COOKIE: string = "visitor-group=";

class VisitorGroups extends RootContext {
  /** Share of visitors in group b, in percent. */
  percent: i32 = 50;

  onConfigure(size: u32): bool {
    if (!super.onConfigure(size)) return false;
    const text = this.getConfiguration();
    if (text == "") return true;
    const percent = numberAfter(text, '"percent"');
    if (percent < 0 || percent > 100) {
      log(LogLevelValues.error, "config wants {\"percent\": 0 to 100}, got " + text);
      return false;
    }
    this.percent = percent;
    return true;
  }

  createContext(id: u32): Context {
    return new Visit(id, this);
  }
}

class Visit extends Context {
  group: string = "";
  fresh: bool = false;

  constructor(id: u32, root: VisitorGroups) {
    super(id, root);
  }

  onRequestHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    this.group = groupIn(request.get("cookie"));
    if (this.group == "") {
      this.fresh = true;
      const who = request.get("x-request-id") + request.get("user-agent") +
        request.get("x-forwarded-for");
      const root = this.root_context as VisitorGroups;
      this.group = <i32> (hash(who) % 100) < root.percent ? "b" : "a";
    }
    // A client must not choose for itself by sending the header.
    request.remove("x-visitor-group");
    request.add("x-visitor-group", this.group);
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    const response = stream_context.headers.response;
    if (this.fresh) {
      response.add("set-cookie", COOKIE + this.group + "; Path=/; Max-Age=2592000; SameSite=Lax");
    }
    response.add("x-visitor-group", this.group);
    response.add("x-denim-filter", FILTER);
    return FilterHeadersStatusValues.Continue;
  }
}

/** The group a cookie header names, or "". */
function groupIn(cookies: string): string {
  const at = cookies.indexOf(COOKIE);
  if (at < 0) return "";
  const group = cookies.charAt(at + COOKIE.length);
  return group == "a" || group == "b" ? group : "";
}

/** FNV-1a. */
function hash(text: string): u32 {
  let value: u32 = 2166136261;
  for (let i = 0; i < text.length; i++) {
    value = (value ^ <u32> text.charCodeAt(i)) * 16777619;
  }
  return value ^ (value >> 15);
}

/** The whole number after `"key":`, -1 when there is none. */
function numberAfter(text: string, key: string): i32 {
  let at = text.indexOf(key);
  if (at < 0) return -1;
  at = text.indexOf(":", at) + 1;
  while (at < text.length && text.charCodeAt(at) == 32) at++;
  let value: i32 = -1;
  while (at < text.length) {
    const digit = text.charCodeAt(at++) - 48;
    if (digit < 0 || digit > 9) break;
    value = (value < 0 ? 0 : value) * 10 + digit;
    if (value > 100) return 101;
  }
  return value;
}

registerRootContext((id: u32) => new VisitorGroups(id), "visitor-groups");
