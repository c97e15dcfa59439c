import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import { Bar } from "./bar";
import { examples } from "./examples";
import { fetcher } from "./fetcher";
import { TabSupply } from "./tabs";

// No history plugin: it would write the Authorization header to the browser's storage.
const plugins = [DOC_EXPLORER_PLUGIN];

export function Page() {
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      plugins={plugins}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultTabs={examples}
      inputValueDeprecation
      schemaDescription
    >
      <Bar />
      <TabSupply />
      <DocExplorerStore>
        <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
          <GraphiQL.Logo>
            <span />
          </GraphiQL.Logo>
        </GraphiQLInterface>
      </DocExplorerStore>
    </GraphiQLProvider>
  );
}
