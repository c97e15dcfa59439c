const given = new Set<string>();

/** The header editor's text with the session's token in it; what a person typed there stays untouched. */
export function withBearer(headers: string, bearer: string | null): string {
  let parsed: Record<string, unknown>;
  try {
    parsed = headers.trim() ? (JSON.parse(headers) as Record<string, unknown>) : {};
  } catch {
    return headers;
  }
  const present = parsed.Authorization;
  if (present === bearer || (typeof present === "string" && !given.has(present))) return headers;
  const { Authorization: _removed, ...others } = parsed;
  if (bearer === null) return Object.keys(others).length ? JSON.stringify(others, null, 2) : "";
  given.add(bearer);
  return JSON.stringify({ Authorization: bearer, ...others }, null, 2);
}
