"""Types: one file per noun. A type that shows staff more than riders is a type of its own."""
