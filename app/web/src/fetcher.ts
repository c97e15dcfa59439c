import { createGraphiQLFetcher, isAsyncIterable } from "@graphiql/toolkit";
import type { Fetcher, FetcherParams } from "@graphiql/toolkit";
import type { ExecutionResult } from "graphql";
import { createClient } from "graphql-ws";
import { endpoint } from "./endpoint";
import { withFreshKeys } from "./freshKeys";
import { remember } from "./memory";

const SHOWN_EVENTS = 100;

// What the header editor held at the last run; the next socket introduces itself with it.
let authorization: string | undefined;

const client = createClient({
  url: endpoint.socket,
  connectionParams: () => (authorization ? { authorization } : {}),
});

const send = createGraphiQLFetcher({ url: endpoint.http, wsClient: client, enableIncrementalDelivery: false });

export const fetcher: Fetcher = async (params, options) => {
  authorization = bearerOf(options?.headers);
  const request = withFreshKeys(params);
  const answer = await send(request, options);
  if (isAsyncIterable(answer)) return gather(request, answer);
  remember(answer);
  return answer;
};

/** Shows the newest event as `data` and those before it as `earlier`; a reconnect resumes after the newest cursor. */
async function* gather(request: FetcherParams, events: AsyncIterable<ExecutionResult>) {
  let earlier: unknown[] = [];
  for await (const event of events) {
    remember(event);
    resumeAfter(request, event);
    yield earlier.length ? { ...event, earlier } : event;
    earlier = [event.data ?? event, ...earlier].slice(0, SHOWN_EVENTS);
  }
}

// The client sends this same object again when it reconnects.
function resumeAfter(request: FetcherParams, event: ExecutionResult): void {
  const [item] = Object.values((event.data ?? {}) as Record<string, { cursor?: unknown } | null>);
  if (request.variables && "after" in request.variables && typeof item?.cursor === "string") {
    request.variables.after = item.cursor;
  }
}

function bearerOf(headers: Record<string, unknown> | undefined): string | undefined {
  const found = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "authorization")?.[1];
  return typeof found === "string" ? found : undefined;
}
