"""How requests read and change what is true: cursors, pages, streams."""
