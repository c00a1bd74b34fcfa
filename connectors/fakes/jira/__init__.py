"""A Jira behind a loopback server, Cloud or Data Center, with the limits and the bad days of a real one.

    jira = Jira(cloud=True)                      # serves; jira.url, jira.requests
    jira.site.new_project("APP", "The app")      # what people do: connectors.fakes.jira.site
    jira.site.quirks.lag = timedelta(minutes=2)  # how a real one can behave: connectors.fakes.jira.state.Quirks
    jira.script(rate_limited(Limit.BURST) )      # one answer out of the ordinary: connectors.fakes.jira.refusals

Where behaviour is documented, the place is named beside it. What nobody documents is marked so.
"""
