"""The customer namespace: what riders may ask and do."""
