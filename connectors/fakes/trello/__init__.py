"""A Trello that keeps its state, behind a loopback server: one account of ours, and people who work in it.

`site.py` is what it holds and the back door by which people work, `api.py` the server, `refusals.py` what it says when
it does not do as it is asked, `many.py` makes one as big as a benchmark wants.

It knows the vendor's traps: a thousand of anything at most in one answer, fifty labels unless more are asked for, names
of lists in actions as they were then, a `dateLastActivity` that our own label moves, plain text for refusals, headers
that count down, and a 403 where too much is asked for at once.
"""
