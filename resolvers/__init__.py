"""How a request reads or changes what is true: ids, one transaction per mutation field, paging, streams."""
