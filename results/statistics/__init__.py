"""Statistics of few seeds: averages over sets and classifiers, their intervals, and which differences are shown."""

from ddbench.results.statistics.estimates import WHOLE as WHOLE
from ddbench.results.statistics.estimates import Estimate as Estimate
from ddbench.results.statistics.estimates import Position as Position
from ddbench.results.statistics.estimates import RowKey as RowKey
from ddbench.results.statistics.estimates import Sample as Sample
from ddbench.results.statistics.estimates import Select as Select
from ddbench.results.statistics.estimates import accuracy as accuracy
from ddbench.results.statistics.estimates import estimate as estimate
from ddbench.results.statistics.estimates import samples as samples
