import { createGraphiQLFetcher } from "@graphiql/toolkit";
import type { Fetcher, FetcherParams } from "@graphiql/toolkit";
import { getOperationAST, parse } from "graphql";
import type { ExecutionResult, OperationDefinitionNode } from "graphql";
import { createClient } from "graphql-ws";
import { endpoint } from "./endpoint";
import { withFreshKeys } from "./freshKeys";
import { remember } from "./memory";
import { follow } from "./stream";

// What the header editor held at the last run; the next socket introduces itself with it.
let authorization: string | undefined;

const client = createClient({
  url: endpoint.socket,
  connectionParams: () => (authorization ? { authorization } : {}),
});

const post = createGraphiQLFetcher({ url: endpoint.http, enableIncrementalDelivery: false });

export const fetcher: Fetcher = async (params, options) => {
  const operation = operationIn(params);
  const request = withFreshKeys({ ...params, operationName: operation?.name?.value ?? null });
  if (operation?.operation === "subscription") {
    authorization = authorizationIn(options?.headers);
    return follow(client, request) as AsyncIterable<ExecutionResult>;
  }
  const answer = await post(request, options);
  remember(answer);
  return answer;
};

/** Read from the text: just after a change of tabs the name that comes with it is still the former tab's. */
function operationIn({ query, operationName }: FetcherParams): OperationDefinitionNode | null | undefined {
  try {
    const document = parse(query);
    return getOperationAST(document, operationName) ?? getOperationAST(document);
  } catch {
    return null; // the server says what is wrong with it
  }
}

function authorizationIn(headers: Record<string, unknown> | undefined): string | undefined {
  const found = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "authorization")?.[1];
  return typeof found === "string" ? found : undefined;
}
