const { protocol, host } = window.location;

/** One path answers queries over HTTP and subscriptions over WebSocket. */
export const endpoint = {
  http: "/graphql",
  socket: `${protocol === "https:" ? "wss:" : "ws:"}//${host}/graphql`,
};
