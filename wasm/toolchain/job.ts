/** What a compile job says and what comes back; shared by the process that asks and the one that compiles. */

export interface TypeScriptJob {
  readonly tool: "typescript";
  /** Absolute path of the filter's source, and the folder its imports are looked up from. */
  readonly entry: string;
  readonly root: string;
  /** Folder for the results; exists. */
  readonly out: string;
  /** The WIT package's text, without a world. */
  readonly wit: string;
  /** Interfaces that may be imported, e.g. `denim:filter/kv@0.1.0`. */
  readonly interfaces: readonly string[];
  /** Import specifiers the SDK is known by, and the files that stand for missing globals. */
  readonly alias: Readonly<Record<string, string>>;
  readonly inject: readonly string[];
  /** What stands for the host and the SDK's entry where the definition is read, not built. */
  readonly double: string;
  readonly config: string;
}

export interface AssemblyScriptJob {
  readonly tool: "assemblyscript";
  readonly entry: string;
  readonly out: string;
}

export interface TranspileJob {
  readonly tool: "transpile";
  /** Path of the component. */
  readonly component: string;
  readonly out: string;
  /** Imported functions that may suspend whoever calls them, and exported ones that may be suspended; none: no. */
  readonly suspending?: {
    readonly imports: readonly string[];
    readonly exports: readonly string[];
  };
}

/** Makes a component of a core module that was written against a WIT world. */
export interface EmbedJob {
  readonly tool: "embed";
  /** Path of the core module. */
  readonly module: string;
  readonly wit: string;
  readonly world: string;
  readonly out: string;
}

/** Installs everything, compiles nothing. */
export interface InstallJob {
  readonly tool: "install";
}

export type Job = TypeScriptJob | AssemblyScriptJob | TranspileJob | EmbedJob | InstallJob;

export type Answer =
  | {
    readonly ok: true;
    /** Path by name: `module`, or what the transpiler made. */
    readonly files: Readonly<Record<string, string>>;
    /** Interfaces imported. */
    readonly uses: readonly string[];
    readonly exports?: readonly string[];
    /** Of a TypeScript filter: JSON Schema of its configuration. */
    readonly configSchema?: unknown;
  }
  | { readonly ok: false; readonly error: string };
