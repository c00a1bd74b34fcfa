"""The tools as loopback servers that keep their state, each with a back door by which people work in it.

They serve the demo and the tests, and know nothing of either. Whoever opens one gets a port on 127.0.0.1 and no other.
"""
