export interface Example {
  title: string;
  query: string;
  variables: string;
}

const documents = import.meta.glob<string>("../examples/*.graphql", { query: "?raw", import: "default", eager: true });
const variables = import.meta.glob<string>("../examples/*.json", { query: "?raw", import: "default", eager: true });

/** One tab for each file in `examples/`, in the order of their names; a `.json` beside it holds its variables. */
export const examples: Example[] = Object.entries(documents).map(([path, query]) => ({
  title: /^(?:query|mutation|subscription) (\w+)/m.exec(query)?.[1] ?? path,
  query: query.trim(),
  variables: variables[path.replace(/graphql$/, "json")]?.trim() ?? "",
}));
