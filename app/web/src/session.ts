import { useSyncExternalStore } from "react";
import type { Audience, DemoAccount } from "./accounts";
import { endpoint } from "./endpoint";

interface Tokens {
  accessToken: string;
  expiresInSeconds: number;
  refreshToken: string;
}

export type Session =
  | { state: "signedOut" }
  | { state: "signingIn"; account: DemoAccount }
  | { state: "signedIn"; account: DemoAccount; bearer: string; expiresAt: Date }
  | { state: "failed"; account: DemoAccount; message: string };

const REFRESH_BEFORE_EXPIRY_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

// Tokens live in this module's memory only: no cookie, no storage.
let session: Session = { state: "signedOut" };
let timer: number | undefined;
let turn = 0; // an answer to an earlier choice must not overwrite a later one
const listeners = new Set<() => void>();

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => session);
}

export function signOut(): void {
  turn += 1;
  window.clearTimeout(timer);
  change({ state: "signedOut" });
}

export async function signIn(account: DemoAccount): Promise<void> {
  turn += 1;
  window.clearTimeout(timer);
  change({ state: "signingIn", account });
  await exchange(account, "signIn", { email: account.email, password: account.password });
}

async function exchange(account: DemoAccount, field: Exchange, input: Record<string, string>): Promise<void> {
  const mine = turn;
  let next: Session;
  try {
    const tokens = await request(account.audience, field, input);
    next = {
      state: "signedIn",
      account,
      bearer: `Bearer ${tokens.accessToken}`,
      expiresAt: new Date(Date.now() + tokens.expiresInSeconds * 1000),
    };
    if (mine === turn) refreshLater(account, tokens);
  } catch (error) {
    next = { state: "failed", account, message: error instanceof Error ? error.message : String(error) };
  }
  if (mine === turn) change(next);
}

function refreshLater(account: DemoAccount, { refreshToken, expiresInSeconds }: Tokens): void {
  const delay = expiresInSeconds * 1000 - REFRESH_BEFORE_EXPIRY_MS;
  timer = window.setTimeout(
    () => void exchange(account, "refreshSession", { refreshToken }),
    Math.min(Math.max(delay, 1000), LONGEST_TIMER_MS),
  );
}

type Exchange = "signIn" | "refreshSession";

const success: Record<Exchange, string> = { signIn: "SignInSuccess", refreshSession: "RefreshSessionSuccess" };

type Answer =
  | ({ __typename: string } & Tokens & { message?: never })
  | { __typename: string; message: string; accessToken?: never };

async function request(audience: Audience, field: Exchange, input: Record<string, string>): Promise<Tokens> {
  const names = Object.keys(input);
  const query = `mutation ${field === "signIn" ? "SignIn" : "RefreshSession"}(${names.map((name) => `$${name}: String!`).join(", ")}) {
    ${audience} {
      ${field}(input: { ${names.map((name) => `${name}: $${name}`).join(", ")} }) {
        __typename
        ... on ${success[field]} { accessToken expiresInSeconds refreshToken }
        ... on UserError { message }
      }
    }
  }`;
  const response = await fetch(endpoint.http, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    credentials: "omit",
    body: JSON.stringify({ query, variables: input }),
  });
  const { data, errors } = (await response.json()) as {
    data?: Partial<Record<Audience, Partial<Record<Exchange, Answer | null>> | null>> | null;
    errors?: { message: string }[];
  };
  const answer = data?.[audience]?.[field];
  if (answer?.accessToken !== undefined) return answer;
  throw new Error(answer?.message ?? errors?.[0]?.message ?? `The server answered ${response.status}.`);
}

function change(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
