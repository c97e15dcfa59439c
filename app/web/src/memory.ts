type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const ID = /^([a-z_]+)_[0-9a-hjkmnp-tv-z]{26}$/;

const POINTS = ["near", "position"];

const STORED = "nimrod:offered";
const STORED_VALUES = 200;

// The newest value seen for a variable's name; the cursor an object was last seen with; and every value this page may
// itself have written into a variable, which outlives a reload just as the tabs do.
const newest = new Map<string, Json>();
const cursorOf = new Map<string, string>();
const offered = new Set<string>(JSON.parse(localStorage.getItem(STORED) ?? "[]") as string[]);

/** Notes the ids in an answer, so that the next example starts with them: a `metro_…` becomes `metroId`. */
export function remember(answer: unknown): void {
  if (Array.isArray(answer)) return answer.toReversed().forEach(remember); // so that the first of a list wins
  if (typeof answer !== "object" || answer === null) return;
  for (const [name, value] of Object.entries(answer)) {
    const prefix = typeof value === "string" && ID.exec(value)?.[1];
    if (prefix) keep(`${camel(prefix)}Id`, value);
    else if (name === "digest" && typeof value === "string") keep(name, value);
    else remember(value);
  }
  const { id, cursor, center } = answer as Record<string, unknown>;
  if (typeof id === "string" && typeof cursor === "string") cursorOf.set(id, cursor);
  if (isPoint(center)) for (const name of POINTS) newest.set(name, { lat: center.lat, lon: center.lon });
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
    const isBlank = isOurs(inner) || (inner === null && POINTS.includes(name));
    result[name] = isBlank ? (newest.get(name) ?? inner) : withKnown(inner);
  }
  if ("after" in result && (result.after === null || isOurs(result.after))) {
    const streamed = Object.values(result).find((inner) => typeof inner === "string" && cursorOf.has(inner));
    const cursor = cursorOf.get(streamed as string) ?? null;
    if (cursor) offer(cursor);
    result.after = cursor;
  }
  return result;
}

function isOurs(value: Json): boolean {
  return typeof value === "string" && (value === "" || offered.has(value));
}

function isPoint(value: unknown): value is { lat: number; lon: number } {
  return typeof value === "object" && value !== null && "lat" in value && "lon" in value;
}

function offer(value: string): void {
  if (offered.has(value)) return;
  offered.add(value);
  localStorage.setItem(STORED, JSON.stringify([...offered].slice(-STORED_VALUES)));
}

function keep(name: string, value: string): void {
  newest.set(name, value);
  offer(value);
}

function camel(prefix: string): string {
  return prefix.replace(/_(.)/g, (_match, letter: string) => letter.toUpperCase());
}
