"""Jira, Cloud and Data Center: issues as work items, labels on the issues themselves."""

from connectors.jira.connector import JiraConnector

__all__ = ["JiraConnector"]
