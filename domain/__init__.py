"""What is true and allowed: tables, rules, the event log. No GraphQL, no HTTP, no model."""
