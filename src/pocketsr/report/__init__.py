"""Reports: one page, or one Markdown file, from records of evaluations. May use matplotlib.

run.json... ── load_runs ── compare ──> make_page ──> report.html
                                   └──> make_markdown ──> report.md
"""

from pocketsr.report.markdown import make_markdown
from pocketsr.report.page import Page, make_page
from pocketsr.report.runs import Comparison, DataSet, Run, compare, load_runs

__all__ = ["Comparison", "DataSet", "Page", "Run", "compare", "load_runs", "make_markdown", "make_page"]
