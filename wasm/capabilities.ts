/** What a filter may be granted, in one word and in one sentence each. */

export const CAPABILITIES = {
  "headers-read": "reads request and response headers and trailers",
  "headers-write": "changes request and response headers and trailers",
  "body-read": "reads request and response bodies",
  "body-write": "changes request and response bodies",
  "local-reply": "answers requests itself",
  "stream-control": "holds, resumes and resets exchanges",
  "properties-read": "reads properties of the exchange and the peer's identity",
  "properties-write": "leaves properties for later calls on the same exchange",
  "shared-data": "keeps data between exchanges",
  "shared-queue": "sends messages through shared queues",
  "metrics": "defines and records metrics",
  "tick": "runs at intervals without a request",
  "http-call": "makes HTTP requests of its own",
  "grpc-call": "makes gRPC requests of its own",
  "foreign-call": "calls functions particular to one proxy",
} as const;

export type Capability = keyof typeof CAPABILITIES;
