"""Tables in the papers' layouts: one model of a table, several layouts, several formats."""

from ddbench.results.tables.block import Block as Block
from ddbench.results.tables.block import blocks as blocks
from ddbench.results.tables.block import method_tables as method_tables
from ddbench.results.tables.captions import CaptionFacts as CaptionFacts
from ddbench.results.tables.captions import Spread as Spread
from ddbench.results.tables.model import Column as Column
from ddbench.results.tables.model import Item as Item
from ddbench.results.tables.model import Table as Table
from ddbench.results.tables.model import Tabular as Tabular
from ddbench.results.tables.render import FORMATS as FORMATS
from ddbench.results.tables.render import TEXT as TEXT
from ddbench.results.tables.render import as_csv as as_csv
from ddbench.results.tables.render import as_json as as_json
from ddbench.results.tables.render import latex as latex
from ddbench.results.tables.render import markdown as markdown
from ddbench.results.tables.render import parquet as parquet
from ddbench.results.tables.render import rows as rows
from ddbench.results.tables.text import as_text as as_text
