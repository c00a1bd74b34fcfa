"""The demo: a made-up company whose tools are loopback servers, and people who work in them (`sync.commands.demo`)."""
