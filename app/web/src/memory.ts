type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const ID = /^([a-z_]+)_[0-9a-hjkmnp-tv-z]{26}$/;

// The newest value seen for a variable's name, and every one this page may itself have written into a variable.
const newest = new Map<string, string>();
const offered = new Map<string, Set<string>>();
const cursorOf = new Map<string, string>();

/** Notes the ids in an answer, so that the next example starts with them: a `metro_…` becomes `metroId`. */
export function remember(answer: unknown): void {
  if (Array.isArray(answer)) return answer.toReversed().forEach(remember); // the first of a list wins
  if (typeof answer !== "object" || answer === null) return;
  const { id, cursor, digest } = answer as Record<string, unknown>;
  Object.values(answer).forEach(remember);
  if (typeof id !== "string") return;
  const prefix = ID.exec(id)?.[1];
  if (prefix) offer(`${camel(prefix)}Id`, id);
  if (typeof digest === "string") offer("digest", digest);
  if (typeof cursor === "string" && !cursorOf.has(id)) cursorOf.set(id, cursor);
}

/** Writes remembered ids where the variables are still blank or hold an older remembered one. */
export function filled(variables: string): string {
  let parsed: Json;
  try {
    parsed = JSON.parse(variables) as Json;
  } catch {
    return variables;
  }
  const next = withKnown(parsed);
  return JSON.stringify(next) === JSON.stringify(parsed) ? variables : JSON.stringify(next, null, 2);
}

function withKnown(value: Json): Json {
  if (Array.isArray(value)) return value.map(withKnown);
  if (typeof value !== "object" || value === null) return value;
  const result: { [name: string]: Json } = {};
  for (const [name, inner] of Object.entries(value)) {
    result[name] = isOurs(name, inner) ? (newest.get(name) ?? inner) : withKnown(inner);
  }
  if ("after" in result && (result.after === null || isOurs("after", result.after))) {
    const streamed = Object.values(result).find((inner) => typeof inner === "string" && cursorOf.has(inner));
    const cursor = cursorOf.get(streamed as string) ?? null;
    if (cursor) offer("after", cursor);
    result.after = cursor;
  }
  return result;
}

function isOurs(name: string, value: Json): boolean {
  return typeof value === "string" && (value === "" || (offered.get(name)?.has(value) ?? false));
}

function offer(name: string, value: string): void {
  newest.set(name, value);
  offered.set(name, (offered.get(name) ?? new Set()).add(value));
}

function camel(prefix: string): string {
  return prefix.replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}
