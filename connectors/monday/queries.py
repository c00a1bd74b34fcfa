"""Every query that is sent to monday.com. What varies goes into variables, never into the text of a query.

A variable that is not given leaves its argument out (https://spec.graphql.org/October2021/#sec-Coercing-Variable-Values),
so that one text serves with and without it. `COST` lets the transport wait before a query that would not fit into the
minute's budget: https://developer.monday.com/api-reference/docs/rate-limits
"""

from __future__ import annotations

COST = "complexity { before after query reset_in_x_seconds }"

ME = f"query {{ {COST} me {{ id name email }} version {{ kind value }} }}"

BOARDS = f"""
query ($ids: [ID!], $workspaces: [ID], $limit: Int!, $page: Int!) {{
  {COST}
  version {{ kind value }}
  boards(ids: $ids, workspace_ids: $workspaces, limit: $limit, page: $page, state: active) {{
    id name url type board_kind hierarchy_type access_level items_count
    workspace {{ id name }}
    columns {{ id title type archived settings }}
  }}
}}
"""

_VALUES = """
  id type text
  ... on StatusValue { label index is_done updated_at }
  ... on BatteryValue { value battery_value { key count } }
  ... on TagsValue { tags { name } }
  ... on DropdownValue { values { label } }
  ... on PeopleValue { persons_and_teams { id } }
  ... on DateValue { date time }
  ... on TimelineValue { from to }
  ... on NumbersValue { number }
  ... on CheckboxValue { checked }
  ... on MirrorValue { display_value }
  ... on FormulaValue { display_value }
  ... on BoardRelationValue { display_value }
  ... on DependencyValue { display_value }
"""
_ITEM = (
    "id name url created_at updated_at group {{ id title }} {more} column_values(ids: $columns{also}) {{ {values} }}"
)

PLAIN = _ITEM.format(more="", also="", values=_VALUES)
SUBITEM = _ITEM.format(more="parent_item { id }", also="", values=_VALUES)
MULTI_LEVEL = _ITEM.format(more="parent_item { id }", also=", capabilities: [CALCULATED]", values=f"is_leaf {_VALUES}")
"""Without asking for what is calculated, columns that roll up come back empty, also of items with nothing below them:
https://developer.monday.com/api-reference/docs/working-with-multi-level-boards"""


def first_page(item: str) -> str:
    """The query for a board's first items, each with the fields of `item`."""
    return f"""
query ($board: ID!, $limit: Int!, $columns: [String!], $only: ItemsQuery, $scope: String) {{
  {COST}
  boards(ids: [$board]) {{
    items_page(limit: $limit, query_params: $only, hierarchy_scope_config: $scope) {{ cursor items {{ {item} }} }}
  }}
}}
"""


def next_page(item: str) -> str:
    """The query for the items after a cursor."""
    return f"""
query ($cursor: String!, $limit: Int!, $columns: [String!]) {{
  {COST}
  next_items_page(cursor: $cursor, limit: $limit) {{ cursor items {{ {item} }} }}
}}
"""


_LABELS = """
  id
  column_values(ids: $columns) {
    id
    ... on TagsValue { tag_ids tags { id name } }
    ... on DropdownValue { values { id label } }
  }
"""

LABELS = f"""
query ($ids: [ID!], $columns: [String!]) {{
  {COST}
  items(ids: $ids, limit: 100, exclude_nonactive: false) {{ state board {{ id }} {_LABELS} }}
}}
"""

STATES = f"""
query ($ids: [ID!]) {{
  {COST}
  items(ids: $ids, limit: 100, exclude_nonactive: false) {{ id state board {{ id }} }}
}}
"""

TAG = "mutation ($name: String, $board: ID) { create_or_get_tag(tag_name: $name, board_id: $board) { id name } }"

ADD_COLUMN = """
mutation ($board: ID!, $title: String!, $type: ColumnType!) {
  create_column(board_id: $board, title: $title, column_type: $type) { id }
}
"""


def write(items: int) -> str:
    """The mutation that writes a column of so many items, one after the other, as `m0`, `m1` …"""
    variables = " ".join(f"$item{number}: ID! $value{number}: JSON!" for number in range(items))
    changes = "\n".join(
        f"m{number}: change_multiple_column_values(board_id: $board, item_id: $item{number},"
        f" column_values: $value{number}, create_labels_if_missing: $create) {{ {_LABELS} }}"
        for number in range(items)
    )
    return f"mutation ($board: ID! $columns: [String!] $create: Boolean {variables}) {{\n{changes}\n}}"
