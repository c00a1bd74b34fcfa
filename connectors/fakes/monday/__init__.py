"""A monday.com account behind a real server, with its vendor's limits and traps.

`account.py` is the account, and the back door by which people work in it; `schema.py` is what it answers to, by
`graphql-core`; `values.py` is how column values look on the wire; `api.py` lets requests in, counts them, and has the
vendor's four ways to refuse (`refusals.py`).
"""
