"""Statistics of few seeds: what is averaged over what, how sure that is, and which differences count."""

from results.statistics.estimates import Estimate as Estimate
from results.statistics.estimates import Position as Position
from results.statistics.estimates import Sample as Sample
from results.statistics.estimates import Select as Select
from results.statistics.estimates import accuracy as accuracy
from results.statistics.estimates import estimate as estimate
from results.statistics.estimates import samples as samples
