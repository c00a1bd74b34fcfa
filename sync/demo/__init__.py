"""The demo: a made-up company whose tools are loopback servers, and people who work in them (`sync.commands.demo`)."""

TERMS, LOG, LOCK, CONFIG, PLAN = "demo.json", "demo.log", "demo.lock", "config.toml", "inbox/warehouse.xml"
"""What lies in a demo's folder, beside rules, tokens and the store."""
