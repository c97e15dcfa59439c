"""The ops namespace: what staff may ask and do."""
