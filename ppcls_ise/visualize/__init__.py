"""Pictures of a run: rank lists, clusters, a map of the features, curves, and ``report.html`` with all of them.

Arrays, figures and file names in, pictures out; knows neither PaddleClas nor the engine.
"""
from .history import cluster_history, run_tables
from .pictures import contact_sheet
from .report import ImageSet, Retrieval, write_report
from .selection import cluster_sheets, rank_lists, spread_by_precision

__all__ = ["ImageSet", "Retrieval", "cluster_history", "cluster_sheets", "contact_sheet", "rank_lists",
           "run_tables", "spread_by_precision", "write_report"]
