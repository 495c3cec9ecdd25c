/** Roles, and who is calling: what the control plane knows of a caller once it has proved something. */

export const ROLES = ["viewer", "operator", "publisher", "admin"] as const;
export type Role = typeof ROLES[number];

/**
 * What each role may do, as the roles it includes. Operators and publishers stand side by side: who may
 * put code into the marketplace is not thereby who decides where it runs.
 */
const INCLUDES: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ["viewer"],
  operator: ["viewer", "operator"],
  publisher: ["viewer", "publisher"],
  admin: ROLES,
};

/** By what a caller proved who it is. */
export type Proof = "none" | "admin-token" | "token" | "oidc" | "session";

/** Who calls. */
export interface Principal {
  /** For the history and the audit log; not a secret. */
  readonly name: string;
  readonly proof: Proof;
  readonly roles: readonly Role[];
}

export function isRole(text: unknown): text is Role {
  return (ROLES as readonly unknown[]).includes(text);
}

/** Whether one of the roles held is, or includes, the one that is wanted. */
export function covers(held: readonly Role[], wanted: Role): boolean {
  return held.some((role) => INCLUDES[role].includes(wanted));
}

/** The roles that may do what wants `least`, for messages. */
export function rolesFor(least: Role): readonly Role[] {
  return ROLES.filter((role) => INCLUDES[role].includes(least));
}
