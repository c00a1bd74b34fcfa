"""First steps: `init`, `check`, and `unstuck` alone."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click

from connectors.errors import ConnectorError
from rules import loader
from rules import schema as rule_schema
from sync import beginning, exemptionfiles, schema, turns
from sync import clock as clocks
from sync import config as configs
