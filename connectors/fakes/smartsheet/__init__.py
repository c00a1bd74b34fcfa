"""A Smartsheet account behind a real server, with its vendor's limits and traps.

`account.py` is the account, and the back door by which people work in it; `api.py` answers requests; `shapes.py` is how
sheets look on the wire; `refusals.py` the vendor's error codes.
"""
