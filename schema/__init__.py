"""What the public sees: types, names, nullability, descriptions, error unions. No SQL."""
