import type { FetcherParams } from "@graphiql/toolkit";
import type { GraphQLFormattedError } from "graphql";
import type { Client, FormattedExecutionResult } from "graphql-ws";
import { remember } from "./memory";

const SHOWN_EVENTS = 100;

type Event = FormattedExecutionResult<Record<string, unknown>, unknown>;
type Shown = Event & { earlier?: unknown[] };

/**
 * A subscription as the editor shows it: the newest event as `data`, those before it as `earlier`, a failure as
 * `errors`. Not an async generator: its `return` would wait for one more event before it unsubscribes.
 */
export function follow(client: Client, params: FetcherParams): AsyncIterableIterator<Shown> {
  const request = { ...params, operationName: params.operationName ?? null };
  const events = client.iterate(request);
  const seen: unknown[] = [];

  function show(event: Event): Shown {
    const earlier = seen.slice(0, SHOWN_EVENTS);
    if (event.data) seen.unshift(event.data);
    return earlier.length ? { ...event, earlier } : event;
  }

  return {
    async next() {
      try {
        const { done, value } = await events.next();
        if (done) return { done: true, value: undefined };
        remember(value);
        resumeAfter(request, value);
        return { done: false, value: show(value) };
      } catch (failure) {
        return { done: false, value: show({ errors: errorsOf(failure) }) };
      }
    },
    async return() {
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

// The client sends this same object again when it reconnects.
function resumeAfter({ variables }: FetcherParams, event: Event): void {
  const [item] = Object.values(event.data ?? {}) as ({ cursor?: unknown } | null)[];
  if (variables && "after" in variables && typeof item?.cursor === "string") variables.after = item.cursor;
}

function errorsOf(failure: unknown): GraphQLFormattedError[] {
  return Array.isArray(failure) ? (failure as GraphQLFormattedError[]) : [{ message: messageOf(failure) }];
}

function messageOf(failure: unknown): string {
  if (failure instanceof CloseEvent) return `The socket was closed: ${failure.code} ${failure.reason}`.trim();
  return failure instanceof Error ? failure.message : String(failure);
}
