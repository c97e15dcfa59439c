import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";
import { withBearer } from "./authorization";
import { filled } from "./memory";
import { useSession } from "./session";

/** Keeps the open tab's editors supplied: the session's token, and the ids that earlier answers carried. */
export function TabSupply(): null {
  const session = useSession();
  const { changeTab } = useGraphiQLActions();
  const { headerEditor, variableEditor, queryEditor, responseEditor, activeTabIndex } = useGraphiQL((state) => ({
    headerEditor: state.headerEditor,
    variableEditor: state.variableEditor,
    queryEditor: state.queryEditor,
    responseEditor: state.responseEditor,
    activeTabIndex: state.activeTabIndex,
  }));
  const ready = Boolean(headerEditor && variableEditor && queryEditor && responseEditor);
  const bearer = session.state === "signedIn" ? session.bearer : null;
  const settled = session.state === "signedIn" || session.state === "signedOut";

  // GraphiQL shows a default tab's query at first, but not its variables; opening the tab again does.
  useEffect(() => {
    if (ready) changeTab(activeTabIndex);
  }, [ready]);

  useEffect(() => {
    if (!ready || !settled || !headerEditor) return;
    replace(headerEditor, withBearer(headerEditor.getValue(), bearer));
  }, [ready, settled, headerEditor, bearer, activeTabIndex]);

  useEffect(() => {
    if (!ready || !variableEditor) return;
    replace(variableEditor, filled(variableEditor.getValue()));
  }, [ready, variableEditor, activeTabIndex]);

  // The editor keeps its scroll position from tab to tab.
  useEffect(() => queryEditor?.setScrollPosition({ scrollLeft: 0, scrollTop: 0 }), [queryEditor, activeTabIndex]);

  return null;
}

function replace(editor: { getValue(): string; setValue(value: string): void }, value: string): void {
  if (editor.getValue() !== value) editor.setValue(value);
}
