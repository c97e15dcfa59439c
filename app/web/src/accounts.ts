export type Audience = "customer" | "ops";

export interface DemoAccount {
  label: string;
  audience: Audience;
  email: string;
  password: string;
}

/** The accounts the server offers in development; none in production. */
export function readDemoAccounts(): DemoAccount[] {
  const content = document.querySelector<HTMLMetaElement>('meta[name="nimrod-demo"]')?.content;
  return content ? (JSON.parse(content) as DemoAccount[]) : [];
}
