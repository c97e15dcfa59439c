import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import icon from "./icon.svg";
import { readDemoAccounts } from "./accounts";
import { examples } from "./examples";
import { signIn, signOut, useSession } from "./session";
import type { Session } from "./session";

const accounts = readDemoAccounts();

export function Bar() {
  return (
    <header className="bar">
      <img src={icon} alt="" width="24" height="24" />
      <h1>Nimrod</h1>
      <p className="tagline">GraphQL API of MobilityCorp</p>
      <ExampleMenu />
      {accounts.length > 0 && <AccountSwitch />}
    </header>
  );
}

function AccountSwitch() {
  const session = useSession();
  const chosen = session.state === "signedOut" ? "" : session.account.email + session.account.audience;
  function choose(value: string): void {
    const account = accounts.find(({ email, audience }) => email + audience === value);
    if (account) void signIn(account);
    else signOut();
  }
  return (
    <>
      <output className={`session ${session.state}`}>{describe(session)}</output>
      <label>
        Demo account
        <select value={chosen} onChange={(event) => choose(event.target.value)}>
          <option value="">Nobody</option>
          {accounts.map(({ label, email, audience }) => (
            <option key={email + audience} value={email + audience}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

function ExampleMenu() {
  const { addTab } = useGraphiQLActions();
  const { queryEditor, variableEditor } = useGraphiQL(({ queryEditor, variableEditor }) => ({
    queryEditor,
    variableEditor,
  }));
  function open(title: string): void {
    const example = examples.find((candidate) => candidate.title === title);
    if (!example) return;
    addTab();
    queryEditor?.setValue(example.query);
    variableEditor?.setValue(example.variables);
  }
  return (
    <label>
      Examples
      <select value="" onChange={(event) => open(event.target.value)}>
        <option value="">Open in a new tab…</option>
        {examples.map(({ title }) => (
          <option key={title}>{title}</option>
        ))}
      </select>
    </label>
  );
}

function describe(session: Session): string {
  switch (session.state) {
    case "signedOut":
      return "Not signed in";
    case "signingIn":
      return "Signing in…";
    case "failed":
      return session.message;
    case "signedIn": {
      const until = session.expiresAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      return `${session.account.label}: signed in until ${until}`;
    }
  }
}
