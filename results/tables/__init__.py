"""Tables in the papers' layouts: one model of a table, several layouts that make it, several formats that show it."""

from results.tables.block import WHOLE as WHOLE
from results.tables.block import Block as Block
from results.tables.block import RowKey as RowKey
from results.tables.block import blocks as blocks
from results.tables.facts import Facts as Facts
from results.tables.model import Column as Column
from results.tables.model import Item as Item
from results.tables.model import Table as Table
from results.tables.model import Tabular as Tabular
from results.tables.numbers import as_text as as_text
from results.tables.render import FORMATS as FORMATS
from results.tables.render import as_csv as as_csv
from results.tables.render import as_json as as_json
from results.tables.render import latex as latex
from results.tables.render import markdown as markdown
from results.tables.render import parquet as parquet
from results.tables.render import rows as rows
