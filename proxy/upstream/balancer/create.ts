/** The table of balancers by the name a BackendSpec gives them. */
import type { Balancer, BalancerEnv } from "./balancer.ts";
import { LeastRequestBalancer } from "./least_request.ts";
import { P2cBalancer } from "./p2c.ts";
import { RingHashBalancer } from "./ring_hash.ts";
import { RoundRobinBalancer } from "./round_robin.ts";

export type Algorithm = "p2c" | "round_robin" | "least_request" | "ring_hash";

/** One balancer per backend: round robin and ring hash keep a little state. */
export function createBalancer(algorithm: Algorithm, env: BalancerEnv): Balancer {
  switch (algorithm) {
    case "p2c":
      return new P2cBalancer(env);
    case "round_robin":
      return new RoundRobinBalancer(env);
    case "least_request":
      return new LeastRequestBalancer(env);
    case "ring_hash":
      return new RingHashBalancer(env);
  }
}
