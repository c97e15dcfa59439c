import type { FetcherParams } from "@graphiql/toolkit";

/** A variable holding `"<new>"` gets a fresh key at each run: client message ids, idempotency keys. */
export function withFreshKeys(params: FetcherParams): FetcherParams {
  return params.variables ? { ...params, variables: replaced(params.variables) } : params;
}

function replaced<T>(value: T): T {
  if (value === "<new>") return freshKey() as T;
  if (Array.isArray(value)) return value.map(replaced) as T;
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, replaced(inner)])) as T;
  }
  return value;
}

// A version 4 UUID; crypto.randomUUID exists only where the page is served over TLS or from this machine.
function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
